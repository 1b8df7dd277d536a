import { Injectable, Logger } from '@nestjs/common';
import {
  DiscoContext,
  type DiscoMessageContext,
  DiscoPayload,
  DiscoSubscribe,
  UnrecoverableError,
} from 'nestjs-disco-bus';
import { BankService } from './bank.service.js';
import type { Invoice } from './invoice.js';

@Injectable()
export class BillingService {
  private readonly logger = new Logger('Billing');

  private charged = 0;
  private onCharged = () => {};

  constructor(private readonly bank: BankService) {}

  @DiscoSubscribe('invoices')
  async charge(
    @DiscoPayload() invoice: Invoice,
    @DiscoContext() { attempt }: DiscoMessageContext,
  ): Promise<void> {
    // No second attempt will make a negative amount right.
    if (invoice.amount < 0) throw new UnrecoverableError('a negative amount');
    // Anything else that throws is tried again, and becomes a dead letter after the third attempt.
    await this.bank.charge(invoice);
    this.logger.log(`invoice ${invoice.number} charged at attempt ${attempt}`);
    this.charged++;
    this.onCharged();
  }

  /** Resolves when so many invoices have been charged. */
  async hasCharged(count: number): Promise<void> {
    while (this.charged < count) await new Promise<void>((resolve) => (this.onCharged = resolve));
  }
}
