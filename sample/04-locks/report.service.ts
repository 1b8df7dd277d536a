import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { DiscoBusService } from 'nestjs-disco-bus';

@Injectable()
export class ReportService {
  constructor(private readonly bus: DiscoBusService) {}

  /** Writes the report alone: whoever else wants to waits. `meanwhile` happens while the lock is held. */
  async write(author: string, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    const logger = new Logger(author);
    // Released at the end of the block in any case; if the process dies, the ttl frees it.
    await using lock = await this.bus.locks.acquire('report', { ttl: '60s' });
    logger.log(`acquired the lock, fencing token ${lock.fencingToken}`);
    await meanwhile();

    await lock.extend('10s');
    logger.log(`extended it: ${Math.round(lock.remainingMs() / 1000)} s left`);

    await pause(200);
    lock.assertValid(); // a process that was stopped for too long notices here
    logger.log('wrote the report');

    await lock.release();
    logger.log('released the lock');
  }
}
