import type { DiscoDriver } from '../../driver/driver.js';
import { type AuditEntry, offersSteering } from '../../driver/steering.js';
import { PATIENCE_MS, type WaitingRoom } from '../connection/waiting-room.js';
import { type BusLogger, errorFields, errorLine } from '../options/bus-logger.js';

/** Something that an operator did, and who. */
export type Deed = Omit<AuditEntry, 'at'>;

/** Writes down what operators did: a line in the log, and an entry in the audit where the driver keeps one. */
export class DeedLog {
  constructor(
    private readonly engine: DiscoDriver,
    private readonly waitingRoom: WaitingRoom,
    private readonly logger: BusLogger,
  ) {}

  /** Never rejects: what was done is done, also when it cannot be written down. */
  async record(deed: Deed): Promise<void> {
    const { engine, waitingRoom, logger } = this;
    logger.warn(lineOf(deed), { event: 'operator-action', ...deed });
    if (!offersSteering(engine)) return;
    try {
      await waitingRoom.connected(PATIENCE_MS);
      await engine.steering().audit(deed);
    } catch (error) {
      logger.error(`What was done could not be written down: ${errorLine(error)}`, {
        event: 'audit-failed',
        ...errorFields(error),
      });
    }
  }
}

function lineOf({ action, topic, group, lock, messages, by }: Deed): string {
  const place = lock === undefined ? `"${topic}"` : `the lock ${JSON.stringify(lock)}`;
  const where = group === undefined ? place : `${place}, group "${group}"`;
  const count = messages === undefined ? '' : `, ${messages} ${lock === undefined ? 'messages' : 'holders'}`;
  return `${where}: ${action} by ${JSON.stringify(by)}${count}`;
}
