import type { Serializer } from '@nestjs/microservices';
import type { ReplySink } from '../bus/requests/reply-stream.js';
import { INTERNAL_ERROR } from './tellable-failure.js';

/** What becomes of failures. */
export interface ReplyFailures {
  /** Makes of what was thrown what the client may see. */
  tellable(thrown: unknown): unknown;
  /** Is told why the serializer could not write a reply. */
  unwritten(error: unknown): void;
}

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
    private readonly failures: ReplyFailures,
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
    const err = this.failures.tellable(thrown);
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
    } catch (error) {
      this.failures.unwritten(error);
      sink.fail(INTERNAL_ERROR);
    }
  }
}
