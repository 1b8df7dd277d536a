import { Injectable } from '@nestjs/common';
import { DiscoSubscribe, UnrecoverableError } from 'nestjs-disco-bus';

/** What is ordered. */
export interface Meal {
  readonly number: number;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A kitchen that burns some meals and refuses others, beside a dishwasher that is too slow. */
@Injectable()
export class KitchenService {
  @DiscoSubscribe('meals')
  async cook({ number }: Meal): Promise<void> {
    await pause(20);
    // Tried again, and then a dead letter.
    if (number % 5 === 0) throw new Error('burnt');
    // A dead letter at once.
    if (number % 7 === 0) throw new UnrecoverableError('sold out');
  }

  @DiscoSubscribe('dishes', { concurrency: 1, prefetch: 0 })
  async wash(): Promise<void> {
    await pause(500);
  }
}
