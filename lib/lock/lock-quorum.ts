import type { LockStore } from '../driver/lock-store.js';
import { LockUnavailableError } from '../errors/lock.errors.js';

/** Asks an odd number of lock stores, and goes by what most of them say. */
export class LockQuorum {
  /** How many are one. */
  readonly majority: number;

  constructor(private readonly stores: readonly LockStore[]) {
    this.majority = (stores.length + 1) / 2;
  }

  /** Whether a majority says true, or false. Rejects with LockUnavailableError where neither does, as some have failed. */
  async agree(question: (store: LockStore, index: number) => Promise<boolean>): Promise<boolean> {
    const says = (answers: readonly boolean[], said: boolean) =>
      this.isMajority(answers, (answer) => answer === said);
    const answers = await this.ask(question, (known) => says(known, true) || says(known, false));
    if (says(answers, true)) return true;
    if (says(answers, false)) return false;
    throw new LockUnavailableError('The lock stores that answer do not agree, and the others failed');
  }

  isMajority<Answer>(answers: readonly Answer[], says: (answer: Answer) => boolean): boolean {
    return answers.filter(says).length >= this.majority;
  }

  /**
   * The answers of those stores that gave one: as soon as they are a majority and `decided`, however slow the others are,
   * or when all have answered or failed. Rejects as soon as they can be no majority any more.
   */
  ask<Answer>(
    question: (store: LockStore, index: number) => Promise<Answer>,
    decided: (answers: readonly Answer[]) => boolean = () => true,
  ): Promise<Answer[]> {
    return new Promise((resolve, reject) => {
      const answers: Answer[] = [];
      const failures: unknown[] = [];
      const look = () => {
        const all = answers.length + failures.length === this.stores.length;
        if (answers.length >= this.majority && (all || decided(answers))) resolve([...answers]);
        else if (failures.length >= this.majority) reject(asMajorityError(failures, this.majority));
      };
      for (const [index, store] of this.stores.entries()) {
        void question(store, index)
          .then(
            (answer) => void answers.push(answer),
            (error: unknown) => void failures.push(error),
          )
          .then(look);
      }
    });
  }
}

/** What every store says for its own sake (closed, not connected, bad claim) goes on as it is. */
function asMajorityError(failures: readonly unknown[], majority: number): Error {
  const own = ['DISCO_CLOSED', 'DISCO_NOT_CONNECTED', 'DISCO_CONFIGURATION'];
  const [cause] = failures;
  const { code } = cause as { code?: string };
  const unanimous = failures.every((failure) => (failure as { code?: string }).code === code);
  if (cause instanceof Error && code !== undefined && own.includes(code) && unanimous) return cause;
  return new LockUnavailableError(`Too many lock stores failed: ${majority} are needed`, { cause });
}
