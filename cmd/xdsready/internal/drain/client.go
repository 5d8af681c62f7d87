package drain

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/xdsready/xdsready/cmd/xdsready/internal/drain/drainv1"
)

// ErrUnreachable is returned when there is nobody to be drained.
var ErrUnreachable = errors.New("nothing to drain")

// Run drains the replica with that admin address and returns when it is done. It
// writes how far it is to out: a line for each change, or on a terminal (screen)
// one that changes. It returns ErrUnreachable if it cannot ask, and another error
// if the replica ends in the middle.
func Run(ctx context.Context, address string, out io.Writer, screen bool) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("%w: --admin-address: %w", ErrUnreachable, err)
	}
	defer func() { _ = conn.Close() }()
	progress, err := drainv1.NewDrainClient(conn).Start(ctx, &drainv1.StartRequest{})
	if err != nil {
		return unreachable(address, err)
	}
	before := int64(-1)
	for {
		p, err := progress.Recv()
		switch {
		case err != nil && before < 0:
			return unreachable(address, err)
		case err != nil:
			return fmt.Errorf("%s ended before it had drained, with %d streams left: %s", address, before, status.Convert(err).Message())
		case p.GetDrained():
			tell(out, screen, "drained")
			if screen {
				fmt.Fprintln(out)
			}
			return nil
		case p.GetStreams() != before:
			before = p.GetStreams()
			tell(out, screen, fmt.Sprintf("draining: %d streams of proxies left", before))
		}
	}
}

func unreachable(address string, err error) error {
	if status.Code(err) == codes.Unimplemented {
		return fmt.Errorf("%w: %s is not the admin address of xdsready: give the --admin-address that \"xdsready serve\" has", ErrUnreachable, address)
	}
	return fmt.Errorf("%w: asking %s: %s: give the --admin-address that \"xdsready serve\" has", ErrUnreachable, address, status.Convert(err).Message())
}

// tell writes a line, on a screen in the place of the one before.
func tell(out io.Writer, screen bool, text string) {
	if screen {
		fmt.Fprintf(out, "\r\x1b[K%s", text)
		return
	}
	fmt.Fprintln(out, text)
}
