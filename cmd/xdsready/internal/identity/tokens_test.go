package identity

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"
	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const audience = "xdsready"

// api stands for an API server that judges tokens.
type api struct {
	client.Client

	users  map[string]string // by token, of those that are good
	down   error             // what it answers instead
	silent bool              // it answers nothing
	asked  int
	last   authenticationv1.TokenReviewSpec
	// What it says of the audience; nil: what was asked for.
	audiences []string
}

func (a *api) Create(ctx context.Context, o client.Object, _ ...client.CreateOption) error {
	a.asked++
	if a.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	if a.down != nil {
		return a.down
	}
	review, ok := o.(*authenticationv1.TokenReview)
	if !ok {
		return fmt.Errorf("a %T was created", o)
	}
	a.last = review.Spec
	user, good := a.users[review.Spec.Token]
	review.Status = authenticationv1.TokenReviewStatus{Authenticated: good, Audiences: review.Spec.Audiences}
	review.Status.User.Username = user
	if a.audiences != nil {
		review.Status.Audiences = a.audiences
	}
	return nil
}

// newAPI knows the token "good" of the ServiceAccount shop/web.
func newAPI() *api {
	return &api{users: map[string]string{"good": "system:serviceaccount:shop:web"}}
}

// sent returns the context of a call with these values of its authorization
// header.
func sent(ctx context.Context, values ...string) context.Context {
	return metadata.NewIncomingContext(ctx, metadata.MD{"authorization": values})
}

// want fails the test unless err contains the text; "" stands for no error.
func want(t *testing.T, err error, text string) {
	t.Helper()
	if (err == nil) != (text == "") || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("error %v, want %q in it", err, text)
	}
}

func TestTokens(t *testing.T) {
	for _, test := range []struct {
		name   string
		group  string
		values []string
		change func(*api)
		want   string // in the error; "" for none
	}{
		{name: "its own ServiceAccount", values: []string{"Bearer good"}},
		{name: "the scheme in small letters, spaces around", values: []string{"bearer  good "}},
		{name: "a second header", values: []string{"Basic dXNlcg==", "Bearer good"}},
		{name: "another name", group: "shop/other", values: []string{"Bearer good"}, want: `that of "system:serviceaccount:shop:web": Gateway shop/other needs`},
		{name: "another namespace", group: "bank/web", values: []string{"Bearer good"}, want: "Gateway bank/web needs"},
		{name: "a user of such a name", values: []string{"Bearer good"}, change: func(a *api) { a.users["good"] = "shop:web" }, want: `that of "shop:web"`},
		{name: "a token that is none", values: []string{"Bearer bad"}, want: `its token is not valid for audience "xdsready"`},
		{name: "another audience", values: []string{"Bearer good"}, change: func(a *api) { a.audiences = []string{"vault"} }, want: "not valid for audience"},
		{name: "an authenticator without audiences", values: []string{"Bearer good"}, change: func(a *api) { a.audiences = []string{} }, want: "not valid for audience"},
		{name: "no header", want: "it sent no ServiceAccount token"},
		{name: "another scheme", values: []string{"Basic good"}, want: "it sent no ServiceAccount token"},
		{name: "a scheme alone", values: []string{"Bearer", "Bearer  "}, want: "it sent no ServiceAccount token"},
		{name: "no group", group: "-", values: []string{"Bearer good"}, want: "is not the NAMESPACE/NAME of a Gateway"},
		{name: "the API server is down", values: []string{"Bearer good"}, change: func(a *api) { a.down = errors.New("refused") }, want: "its token cannot be checked: refused"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newAPI()
			if test.change != nil {
				test.change(a)
			}
			group := test.group
			if group == "" {
				group = "shop/web"
			}
			want(t, NewTokens(a, audience).Authorize(sent(t.Context(), test.values...), group), test.want)
			if a.asked > 0 && a.down == nil && (len(a.last.Audiences) != 1 || a.last.Audiences[0] != audience) {
				t.Errorf("the API server was asked about audiences %v, want %s", a.last.Audiences, audience)
			}
		})
	}
}

// What a proxy claims to be must not reach the API server or the comparison
// unless it can be the name of a Gateway.
func TestHostileGroups(t *testing.T) {
	for _, group := range []string{
		"", "/", "*", "*/*", "shop/*", "shop", "/web", "shop/", "shop/web/", "a/b/c", "../x", "shop/..", "Shop/web", "shop/web\x00",
		"shop:web/x", "shop/web:x", "shop /web", "{namespace}/{name}", "-/-", "shop/" + strings.Repeat("x", 254), strings.Repeat("y", 1<<16),
	} {
		a := newAPI()
		err := NewTokens(a, audience).Authorize(sent(t.Context(), "Bearer good"), group)
		want(t, err, "is not the NAMESPACE/NAME of a Gateway")
		if a.asked > 0 {
			t.Errorf("group %.50q: the API server was asked", group)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("an error of %d bytes for a claim of %d", len(err.Error()), len(group))
		}
	}
}

// A verdict is taken without asking for a minute, and while the API server
// cannot be asked for an hour. One that was refused is asked about again.
func TestVerdictsAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		tokens := NewTokens(a, audience)
		ask := func(step string, times int, text string) {
			t.Helper()
			before := a.asked
			want(t, tokens.Authorize(sent(t.Context(), "Bearer good"), "shop/web"), text)
			if asked := a.asked - before; asked != times {
				t.Errorf("%s: asked the API server %d times, want %d", step, asked, times)
			}
		}
		ask("the first time", 1, "")
		time.Sleep(trusted - time.Second)
		ask("within a minute", 0, "")
		want(t, tokens.Authorize(sent(t.Context(), "Bearer good"), "shop/other"), "needs the ServiceAccount")
		time.Sleep(time.Second)
		ask("after a minute", 1, "")

		a.down = errors.New("refused")
		time.Sleep(outlasting - time.Second)
		ask("in an outage", 1, "")
		time.Sleep(time.Second)
		ask("in an outage of an hour", 1, "its token cannot be checked: refused")

		a.down = nil
		ask("after the outage", 1, "")
		delete(a.users, "good")
		time.Sleep(trusted)
		ask("after its ServiceAccount was deleted", 1, "not valid for audience")
		a.down = errors.New("refused")
		ask("refused and then an outage", 1, "its token cannot be checked")
	})
}

// An API server that is silent counts as one that is down.
func TestSilentAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		tokens := NewTokens(a, audience)
		want(t, tokens.Authorize(sent(t.Context(), "Bearer good"), "shop/web"), "")
		a.silent = true
		time.Sleep(trusted)
		began := time.Now()
		want(t, tokens.Authorize(sent(t.Context(), "Bearer good"), "shop/web"), "")
		want(t, tokens.Authorize(sent(t.Context(), "Bearer new"), "shop/web"), "its token cannot be checked: context deadline exceeded")
		if took := time.Since(began); took != 2*answerTimeout {
			t.Errorf("two calls took %v, want %v", took, 2*answerTimeout)
		}
	})
}

// A crowd of tokens cannot fill the memory: verdicts that count no more go
// first, and if none does, all.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tokens := NewTokens(newAPI(), audience)
		add := func(from, to int) {
			for i := from; i < to; i++ {
				tokens.remember(sha256.Sum256(binary.AppendVarint(nil, int64(i))), verdict{at: time.Now()})
			}
		}
		add(0, maxKnown/2)
		time.Sleep(outlasting)
		add(maxKnown/2, maxKnown)
		if known := len(tokens.known); known != maxKnown {
			t.Errorf("%d verdicts are known, want %d", known, maxKnown)
		}
		add(maxKnown, maxKnown+1)
		if known := len(tokens.known); known != maxKnown/2+1 {
			t.Errorf("%d verdicts are known after the old ones went, want %d", known, maxKnown/2+1)
		}
		add(maxKnown+1, 2*maxKnown)
		if known := len(tokens.known); known > maxKnown {
			t.Errorf("%d verdicts are known, more than %d", known, maxKnown)
		}
	})
}
