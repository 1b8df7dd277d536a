import { fromNobodysContext } from '../driver/async-context.js';
import type { DriverStatus } from '../driver/driver-status.js';
import { ClosedError, NotConnectedError } from '../errors/bus.errors.js';
import { type DiscoBusError, isDiscoBusError } from '../errors/disco-bus-error.js';
import { type Clock, sleep } from '../timing/clock.js';
import type { BusParts } from './bus-parts.js';
import type { BusState, BusStatusListener, Lifecycle, LockLost } from './bus-status.js';
import { Connector } from './connection/connector.js';
import { countLoss } from './driver-losses.js';
import type { GroupWatch } from './operate/group-watch.js';
import { type BusLogger, errorFields, errorLine } from './options/bus-logger.js';
import type { ResolvedOptions } from './options/resolved-options.js';
import { StatusLog } from './status-log.js';

/** What the last step is given, however much of the time is left. */
const LAST_MS = 250;

/** The time that closing may take, shared by its steps. */
class Grace {
  private leftMs: number;

  constructor(
    private readonly totalMs: number,
    private readonly clock: Clock,
    private readonly logger: BusLogger,
  ) {
    this.leftMs = totalMs;
  }

  /** Resolves when `work` has ended, however it did, or when no time is left. Tells of an error, and of what is not waited for. */
  async within(work: Promise<unknown>): Promise<void> {
    const timer = new AbortController();
    const { totalMs, clock, logger } = this;
    const startedMs = clock.monotonic();
    const late = sleep(this.leftMs, clock, timer.signal).then(() => {
      if (timer.signal.aborted) return;
      logger.warn(`Shutdown: still busy after ${totalMs} ms; closing`, { event: 'shutdown-late', totalMs });
    });
    await Promise.race([work, late]).catch((error) =>
      logger.error(`Shutdown: ${errorLine(error)}`, { event: 'shutdown-failed', ...errorFields(error) }),
    );
    timer.abort();
    await late;
    this.leftMs = Math.max(0, this.leftMs - (clock.monotonic() - startedMs));
  }

  /** The last step: told how long it may take, and not waited for much longer. */
  async last(work: (graceMs: number) => Promise<unknown>): Promise<void> {
    const graceMs = Math.max(this.leftMs, LAST_MS);
    this.leftMs = graceMs + LAST_MS;
    await this.within(work(graceMs));
  }
}

/** How soon what belongs to the start is subscribed again. */
const REOPEN_MS = 200;

/** How a bus starts, drains and stops; hears what its driver tells, and passes it on. */
export class BusLife {
  /** Whether the driver has its connection right now. */
  connected = false;
  private readonly grace: Grace;
  private readonly log: StatusLog;
  private connector?: Connector;
  private starting?: Promise<void>;
  private draining?: Promise<void>;
  private stopping?: Promise<void>;
  private readonly farewells = new Set<() => Promise<unknown>>();
  /** `start` has resolved. */
  private wentOn = false;
  private readonly stopListening: () => void;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly lifecycle: Lifecycle,
    private readonly parts: BusParts,
    private readonly own: {
      /** Told what the driver tells. */
      readonly hear: (status: DriverStatus) => void;
      /** Reads the numbers of groups, where somebody wants them. */
      readonly watch: GroupWatch | undefined;
    },
  ) {
    const { shutdownTimeoutMs, clock, logger, driver } = options;
    this.grace = new Grace(shutdownTimeoutMs, clock, logger);
    this.log = new StatusLog(driver.name, logger);
    this.stopListening = driver.onStatus((status) => {
      this.log.hear(status);
      own.hear(status);
      if (status.type === 'connected' || status.type === 'disconnected')
        this.onConnection(status.type === 'connected');
      countLoss(status, options.metrics, parts.subscriber.expected);
      parts.requester.onDriverStatus(status);
      lifecycle.emit(status);
    });
  }

  get state(): BusState {
    return this.lifecycle.state;
  }

  onStatus(listener: BusStatusListener): () => void {
    return this.lifecycle.listen(listener);
  }

  /** For what the application does beside the bus. */
  lockLost({ keys, fencingToken }: Omit<LockLost, 'type'>): void {
    const status: LockLost = { type: 'lock-lost', keys, fencingToken };
    this.log.hear(status);
    this.lifecycle.emit(status);
  }

  onDrain(farewell: () => Promise<unknown>): () => void {
    this.farewells.add(farewell);
    return () => void this.farewells.delete(farewell);
  }

  start(): Promise<void> {
    if (this.stopping ?? this.draining) return Promise.reject(new ClosedError('The bus is stopped'));
    this.starting ??= fromNobodysContext(() => this.connect()).catch((error) => {
      this.starting = undefined;
      if (!this.draining) this.backToIdle(error);
      throw error;
    });
    return this.starting;
  }

  drain(): Promise<void> {
    this.draining ??= this.drainSubscriptions();
    return this.draining;
  }

  stop(): Promise<void> {
    this.stopping ??= this.drainAndClose();
    return this.stopping;
  }

  /** Calls `open` at the first connection, and again where that one was too short for it. */
  async onceConnected<T>(open: () => Promise<T>): Promise<T> {
    for (let again = this.state === 'connecting'; ; await sleep(REOPEN_MS, this.options.clock)) {
      await this.options.waitingRoom.connected();
      try {
        return await open();
      } catch (error) {
        again &&= !this.draining && isDiscoBusError(error, 'DISCO_NOT_CONNECTED');
        if (!again) throw error;
      }
    }
  }

  private async connect(): Promise<void> {
    this.lifecycle.enter('connecting');
    const { driver, prefix, service, maxMessageBytes, connection, logger, clock } = this.options;
    const maxFrameBytes = maxMessageBytes + 128 * 1024;
    this.connector = new Connector(
      driver,
      { prefix, service, maxFrameBytes },
      { ...connection, logger, clock },
    );
    void this.connector.connected.then(
      () => {
        // A start that has failed meanwhile is over, also when its last attempt goes well.
        if (this.draining || !this.starting) return;
        this.onConnection(true);
        this.lifecycle.enter('ready');
      },
      (error) => this.onNeverConnected(error),
    );
    await this.connector.started();
    this.wentOn = true;
    this.own.watch?.start();
  }

  /** What waited fails as the start did. */
  private backToIdle(cause: DiscoBusError): void {
    this.options.waitingRoom.refuse(cause, new NotConnectedError('The bus is not started', { cause }));
    this.lifecycle.enter('idle');
  }

  /** What goes on in the background fails there: nobody else would tell. */
  private onNeverConnected(error: DiscoBusError): void {
    if (this.draining) return;
    this.options.waitingRoom.refuse(error);
    if (!this.wentOn) return;
    this.options.logger.error(`Not connected, and not trying any more: ${errorLine(error)}`, {
      event: 'never-connected',
      ...errorFields(error),
    });
  }

  private onConnection(up: boolean): void {
    this.connected = up;
    this.options.metrics.connection(up);
  }

  private async drainSubscriptions(): Promise<void> {
    const { subscriber, responder } = this.parts;
    const { clock } = this.options;
    const startedMs = clock.monotonic();
    const reads = subscriber.expected.list.length > 0;
    this.connector?.stop();
    this.options.waitingRoom.refuse(new ClosedError('The bus was stopped before it was connected'));
    this.lifecycle.enter('draining');
    await this.grace.within(subscriber.close(this.sayFarewell()));
    subscriber.abandon();
    await this.grace.within(responder.abandon(new ClosedError('The responder was stopped')));
    if (reads) this.log.drained(clock.monotonic() - startedMs);
  }

  private sayFarewell(): Promise<unknown> | undefined {
    if (this.farewells.size === 0) return undefined;
    const { logger } = this.options;
    const say = async (farewell: () => Promise<unknown>) => farewell();
    const said = [...this.farewells].map((farewell) =>
      say(farewell).catch((error) =>
        logger.warn(`Shutdown: what onDrain was given failed: ${errorLine(error)}`, {
          event: 'farewell-failed',
          ...errorFields(error),
        }),
      ),
    );
    return Promise.all(said);
  }

  private async drainAndClose(): Promise<void> {
    const { requester, publisher } = this.parts;
    await this.drain();
    await this.grace.within(this.own.watch?.close() ?? Promise.resolve());
    requester.close();
    await this.grace.within(publisher.idle());
    await this.grace.last((graceMs) => this.options.driver.close(graceMs));
    publisher.close();
    this.onConnection(false);
    this.stopListening();
    this.options.logger.flush();
    this.lifecycle.enter('closed');
  }
}
