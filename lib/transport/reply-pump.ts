import type { Serializer } from '@nestjs/microservices';
import type { ReplySink } from '../bus/requests/reply-stream.js';
import { isError } from '../errors/is-error.js';

/** What Nest tells a client of a failure that it must know nothing of. */
export const INTERNAL_ERROR = Object.freeze({ status: 'error', message: 'Internal server error' });

/**
 * Turns what a handler's Observable emits into replies. A value waits for the rest of its turn: where the end comes with
 * it, both travel as one reply.
 */
export class ReplyPump {
  private held: { readonly value: unknown } | undefined;

  /** `serializer`: undefined where the values themselves are sent; `id` names the packet for it. */
  constructor(
    private readonly sink: ReplySink,
    private readonly serializer: Serializer | undefined,
    private readonly id: unknown,
  ) {}

  readonly next = (value: unknown): void => {
    this.flush();
    this.held = { value };
    process.nextTick(() => this.flush());
  };

  readonly complete = (): void => {
    const { held } = this;
    this.held = undefined;
    if (this.serializer) this.packet({ ...(held && { response: held.value }), isDisposed: true });
    else if (held && held.value !== undefined) this.sink.last(held.value);
    else this.sink.end();
  };

  readonly error = (thrown: unknown): void => {
    this.flush();
    const err = tellable(thrown);
    if (this.serializer) this.packet({ err, isDisposed: true });
    else this.sink.fail(err);
  };

  private flush(): void {
    const { held } = this;
    this.held = undefined;
    if (!held) return;
    if (this.serializer) this.packet({ response: held.value });
    else this.sink.value(held.value ?? null);
  }

  private packet(packet: { response?: unknown; err?: unknown; isDisposed?: boolean }): void {
    const { sink } = this;
    try {
      const payload = this.serializer?.serialize({ ...packet, id: this.id });
      if (packet.isDisposed) sink.last(payload);
      else sink.value(payload);
    } catch {
      sink.fail(INTERNAL_ERROR);
    }
  }
}

/** An error as the client may see it: what a filter made of it, and of an Error no more than its message. */
function tellable(thrown: unknown): unknown {
  if (isError(thrown)) return { status: 'error', message: thrown.message };
  return thrown || INTERNAL_ERROR;
}
