import { Inject, Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { WithLock } from 'nestjs-disco-bus';
import { Journal } from './journal.js';

@Injectable()
export class DigestService {
  private readonly logger = new Logger('Digest');

  constructor(
    @Inject('INSTANCE') private readonly instance: number,
    private readonly journal: Journal,
  ) {}

  @Cron(CronExpression.EVERY_SECOND)
  seen(): void {
    this.journal.called(this.instance);
  }

  /**
   * Every instance's cron calls it, one runs it: the others find the lock taken and skip. `minHold` keeps it taken though
   * the work is quickly done, so that an instance whose clock is a little behind does not run it once more. It should be
   * longer than the clocks may differ, and shorter than the time between two ticks.
   */
  @Cron(CronExpression.EVERY_SECOND)
  @WithLock('digest', { onBusy: 'skip', minHold: '500ms', ttl: '30s' })
  async send(): Promise<void> {
    this.logger.log(`instance ${this.instance} sends the digest`);
    this.journal.ran(this.instance);
  }
}
