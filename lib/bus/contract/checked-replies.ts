import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { RequestDefinition } from '../../contract/definition.js';
import { checksAt, type ValidationOptions } from '../../contract/definition-options.js';
import { ReplyInvalidError } from '../../errors/request.errors.js';
import type { Headers } from '../../message/headers.js';
import { isThenable } from '../../middleware/middleware.js';
import { parsed } from '../../middleware/schema-check.js';
import type { ReplyObserver } from '../requests/call.js';

/** Stands in front of `observer` where the replies to a request are to be compared with its schema. */
export function checkedReplies(
  { name, reply, parts }: RequestDefinition,
  validation: ValidationOptions,
  observer: ReplyObserver,
): CheckedReplies | undefined {
  const checks = reply !== undefined && checksAt('handle', parts, validation);
  return checks ? new CheckedReplies(name, reply, observer) : undefined;
}

/** Tells its observer what a schema makes of each reply, in order; one that does not fit ends the request. */
export class CheckedReplies implements ReplyObserver {
  /** Calls the request off. */
  callOff: () => void = () => {};
  /** What earlier replies still wait for. */
  private turn: Promise<void> | undefined;
  private ended = false;

  constructor(
    private readonly topic: string,
    private readonly schema: StandardSchemaV1,
    private readonly observer: ReplyObserver,
  ) {}

  next(payload: unknown, headers: Headers): void {
    try {
      const reply = parsed(this.schema, payload, (problems, cause) => {
        return new ReplyInvalidError(this.topic, problems, { cause });
      });
      const tell = (value: unknown) => this.observer.next(value, headers);
      if (isThenable(reply)) this.inTurn(async () => tell(await reply));
      else this.inTurn(() => tell(reply));
    } catch (error) {
      this.inTurn(() => this.fail(error));
    }
  }

  complete(): void {
    this.inTurn(() => {
      this.ended = true;
      this.observer.complete();
    });
  }

  error(error: unknown): void {
    this.inTurn(() => {
      this.ended = true;
      this.observer.error(error);
    });
  }

  private fail(error: unknown): void {
    this.ended = true;
    this.callOff();
    this.observer.error(error);
  }

  /** At once where nothing waits, else behind what does. */
  private inTurn(tell: () => void | Promise<void>): void {
    if (this.ended) return;
    if (this.turn === undefined) {
      const waiting = tell();
      if (waiting === undefined) return;
      this.turn = waiting.catch((error) => this.fail(error));
      return;
    }
    this.turn = this.turn.then(() => (this.ended ? undefined : tell())).catch((error) => this.fail(error));
  }
}
