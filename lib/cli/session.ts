import { DiscoBus } from '../bus/disco-bus.js';
import type { LogFields } from '../bus/options/bus-logger.js';
import type { LockStore } from '../driver/lock-store.js';
import type { RedisDriver } from '../drivers/redis/redis.driver.js';
import { isDiscoBusError } from '../errors/disco-bus-error.js';
import { CommandFailure, failureOf, usageError } from './exit-codes.js';
import { configured, driverOf, type Target } from './target-driver.js';
import type { Terminal } from './terminal.js';

/** How long closing may take: what a command did is done by then. */
const CLOSE_MS = 1_000;
const SERVICE = 'disco-bus-cli';

/** A bus that is connected, and is a member of nothing. */
export class Session {
  private store: LockStore | undefined;

  private constructor(
    readonly bus: DiscoBus,
    readonly driver: RedisDriver,
    readonly target: Target,
  ) {}

  /** Rejects with a CommandFailure that says, without any secret, why there is no connection. */
  static async open(target: Target, terminal: Terminal): Promise<Session> {
    const { prefix, timeoutMs, verbose } = target;
    const driver = await driverOf(target);
    const log = (text: string) => {
      if (verbose) terminal.tell(text);
    };
    // Whoever steers is to know that nobody will see it in the audit.
    const error = (text: string, fields?: LogFields) =>
      fields?.event === 'audit-failed' ? terminal.tellFailure(text) : log(text);
    const bus = configured(
      () =>
        new DiscoBus({
          driver,
          prefix,
          service: SERVICE,
          shutdownTimeout: CLOSE_MS,
          connection: { wait: true, timeout: timeoutMs, critical: true },
          publishTimeout: timeoutMs,
          logger: { log, warn: log, error },
        }),
    );
    try {
      await bus.start();
    } catch (thrown) {
      await bus.stop();
      if (isDiscoBusError(thrown, 'DISCO_CONFIGURATION') && /Redis Cluster/.test(thrown.message))
        throw usageError('The server is a node of a Redis Cluster: say --cluster');
      throw unreachable(driver, thrown);
    }
    return new Session(bus, driver, target);
  }

  /**
   * A connected store of the locks whose keys have this prefix, '' for bare keys; to be asked for once. It closes with the
   * session, and writes nothing down of this process. Rejects as `open` does.
   */
  async locks(prefix: string): Promise<LockStore> {
    const driver = await driverOf({ ...this.target, prefix });
    this.store = driver.lockStore({ service: SERVICE });
    try {
      await this.store.connect();
    } catch (error) {
      throw unreachable(driver, error);
    }
    return this.store;
  }

  async close(): Promise<void> {
    await Promise.all([this.store?.close(), this.bus.stop()]);
  }
}

/** Says where the connection would have led. */
function unreachable(driver: RedisDriver, error: unknown): CommandFailure {
  const { exitCode, message } = failureOf(error);
  return new CommandFailure(exitCode, `${(driver.toJSON() as { target: string }).target}: ${message}`);
}
