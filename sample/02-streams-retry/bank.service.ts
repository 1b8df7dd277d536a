import { Injectable } from '@nestjs/common';
import type { Invoice } from './invoice.js';

/** A bank with a bad day: invoice 2 takes three tries, invoice 3 none help until it is repaired. */
@Injectable()
export class BankService {
  private repaired = false;
  private readonly tries = new Map<number, number>();

  async charge({ number }: Invoice): Promise<void> {
    const tries = (this.tries.get(number) ?? 0) + 1;
    this.tries.set(number, tries);
    if (this.repaired || number === 1 || (number === 2 && tries === 3)) return;
    throw new Error('the bank does not answer');
  }

  repair(): void {
    this.repaired = true;
  }
}
