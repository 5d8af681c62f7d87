package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// trusted is how long the API server's word on a token is taken without
	// asking again, so that a crowd of proxies that reconnects asks little.
	trusted = time.Minute
	// outlasting is for how long it still counts while the API server cannot be
	// asked: it is the life of a token that the kubelet renews, so an outage
	// locks out no proxy that was let in before.
	outlasting = time.Hour
	// answerTimeout is how long the API server may take to judge a token: one
	// that is silent must not hold up proxies that were let in before.
	answerTimeout = 5 * time.Second
	// maxKnown bounds the tokens remembered.
	maxKnown = 10_000
)

// serviceAccount is the form of a ServiceAccount's user name.
const serviceAccount = "system:serviceaccount:"

// Tokens lets a proxy take the Gateway whose namespace and name its
// ServiceAccount has. The proxy sends a token of that ServiceAccount, for our
// audience, as "authorization: Bearer TOKEN" with each stream.
type Tokens struct {
	api      client.Client
	audience string

	mu    sync.Mutex // guards known
	known map[[sha256.Size]byte]verdict
}

// verdict is what the API server said of a token. Tokens themselves are not kept.
type verdict struct {
	user string
	at   time.Time
}

// NewTokens returns a Tokens that asks api for TokenReviews.
func NewTokens(api client.Client, audience string) *Tokens {
	return &Tokens{api: api, audience: audience, known: map[[sha256.Size]byte]verdict{}}
}

// Authorize returns an error unless the peer of ctx may take the node group.
func (t *Tokens) Authorize(ctx context.Context, group string) error {
	namespace, name, err := gateway(group)
	if err != nil {
		return err
	}
	user, err := t.User(ctx)
	if err != nil {
		return err
	}
	if user != serviceAccount+namespace+":"+name {
		return fmt.Errorf("its token is that of %q: Gateway %s needs the ServiceAccount of its own namespace and name", user, group)
	}
	return nil
}

// User returns whose token the peer of ctx brought, in the form
// system:serviceaccount:NAMESPACE:NAME.
func (t *Tokens) User(ctx context.Context) (string, error) {
	token, err := bearer(ctx)
	if err != nil {
		return "", err
	}
	return t.user(ctx, token)
}

// bearer returns the token that a call brought.
func bearer(ctx context.Context) (string, error) {
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	for _, value := range values {
		scheme, token, ok := strings.Cut(value, " ")
		if ok && strings.EqualFold(scheme, "bearer") && strings.TrimSpace(token) != "" {
			return strings.TrimSpace(token), nil
		}
	}
	return "", errors.New("it sent no ServiceAccount token (authorization: Bearer TOKEN)")
}

// user returns whose token it is.
func (t *Tokens) user(ctx context.Context, token string) (string, error) {
	hash := sha256.Sum256([]byte(token))
	before, known := t.recall(hash)
	if known && time.Since(before.at) < trusted {
		return before.user, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{t.audience}}}
	err := t.api.Create(ctx, review)
	switch {
	case err != nil && known && time.Since(before.at) < outlasting:
		return before.user, nil
	case err != nil:
		return "", fmt.Errorf("its token cannot be checked: %w", err)
	case !review.Status.Authenticated || !slices.Contains(review.Status.Audiences, t.audience):
		t.forget(hash)
		return "", fmt.Errorf("its token is not valid for audience %q", t.audience)
	}
	t.remember(hash, verdict{review.Status.User.Username, time.Now()})
	return review.Status.User.Username, nil
}

func (t *Tokens) recall(hash [sha256.Size]byte) (verdict, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.known[hash]
	return v, ok
}

func (t *Tokens) forget(hash [sha256.Size]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, hash)
}

// remember keeps a verdict. When there is no room, those that count no more go,
// and if that makes none, all: they are asked for again.
func (t *Tokens) remember(hash [sha256.Size]byte, v verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= maxKnown {
		for h, old := range t.known {
			if v.at.Sub(old.at) >= outlasting {
				delete(t.known, h)
			}
		}
		if len(t.known) >= maxKnown {
			clear(t.known)
		}
	}
	t.known[hash] = v
}
