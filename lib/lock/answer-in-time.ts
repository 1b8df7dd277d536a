import type { Clock } from '../timing/clock.js';

/** Who waits so long does not mind that a store which does not answer is found out by the store's own deadline. */
export const PATIENT_WAIT_MS = 5_000;

/** Waits for the answers of a store, one at a time, and no longer than is wanted. */
export class AnswerInTime {
  private end: (() => void) | undefined;

  constructor(private readonly clock: Clock) {}

  /** `answer`; undefined after `leftMs`, when `late` is called, or once interrupted. Who has time enough sets no timer. */
  wait<Answer>(answer: Promise<Answer>, leftMs: number, late: () => void): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => {
      const timer =
        leftMs < PATIENT_WAIT_MS
          ? this.clock.setTimeout(() => {
              late();
              this.interrupt();
            }, Math.ceil(leftMs) || 1)
          : undefined;
      const settle = (how: () => void) => {
        this.clock.clearTimeout(timer);
        this.end = undefined;
        how();
      };
      this.end = () => settle(() => resolve(undefined));
      answer.then(
        (given) => settle(() => resolve(given)),
        (error: unknown) => settle(() => reject(error)),
      );
    });
  }

  /** Ends the waiting that is under way. */
  interrupt(): void {
    this.end?.();
  }
}
