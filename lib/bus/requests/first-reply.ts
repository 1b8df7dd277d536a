import type { ReplyObserver } from './call.js';

/**
 * The first reply to a request, as a promise; undefined when there is none. A class, since a closure within the call would
 * keep the request's payload in memory until the reply comes.
 */
export class FirstReply<T> implements ReplyObserver {
  readonly promise: Promise<T>;
  /** Ends the request when its first reply is there. */
  callOff: () => void = () => {};
  private resolve!: (reply: T) => void;
  private reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  next(reply: unknown): void {
    this.resolve(reply as T);
    this.callOff();
  }

  complete(): void {
    this.resolve(undefined as T);
  }

  error(error: unknown): void {
    this.reject(error);
  }
}
