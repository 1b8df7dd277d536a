import { randomUUID } from 'node:crypto';
import { type BusLogger, errorLine } from '../bus/options/bus-logger.js';
import type { ResolvedOutbox } from './outbox-options.js';
import type { SqlListener } from './sql-client.js';

/** How long a notification of our own may take to be heard. */
const PROOF_MS = 2_000;
/** How long until LISTEN is tried again once its connection was lost. */
const AGAIN_MS = 5_000;

/** What a {@link RelayWakeup} works with. */
export interface WakeupDeps {
  readonly outbox: Pick<ResolvedOutbox, 'pool' | 'listen' | 'channel'>;
  readonly logger: BusLogger;
}

/** Wakes the relay: by notifications, where there is a connection that hears them. */
export class RelayWakeup {
  private client: SqlListener | undefined;
  private rung = false;
  private wake: (() => void) | undefined;
  private again: NodeJS.Timeout | undefined;
  private told = false;
  private closed = false;
  private heard = false;
  /** Counts the openings: what an earlier one still waits for is given back. */
  private term = 0;

  constructor(private readonly deps: WakeupDeps) {}

  /** Listens, in the background; whoever cannot be heard is told to the log once. */
  open(): void {
    this.closed = false;
    this.term++;
    void this.listen();
  }

  /** Resolves when it was rung since the last time, or `ms` have passed. */
  async wait(ms: number): Promise<void> {
    if (!this.rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.wake = undefined;
    this.rung = false;
  }

  /** Wakes whoever waits, or will. */
  readonly ring = (): void => {
    this.rung = true;
    this.wake?.();
  };

  /** Gives the connection back. */
  close(): void {
    this.closed = true;
    clearTimeout(this.again);
    this.again = undefined;
    this.drop();
  }

  private async listen(): Promise<void> {
    const { listen, channel, pool } = this.deps.outbox;
    if (listen === false || channel === undefined) return this.deaf('no connection listens');
    const { term } = this;
    const proof: string = randomUUID();
    try {
      const client = await listen();
      client.on('error', () => this.lost(client));
      client.on('end', () => this.lost(client));
      client.on('notification', (about) => {
        // One of a row may come before a pooler has changed the connection, and says nothing of those that follow.
        if (payloadOf(about) === proof) this.heard = true;
        this.ring();
      });
      if (this.closed || term !== this.term) return letGo(client);
      this.client = client;
      this.heard = false;
      await client.query(`LISTEN "${channel}"`);
      await pool.query('SELECT pg_notify($1, $2)', [channel, proof]);
      this.proof();
    } catch (error) {
      this.deaf(errorLine(error));
      this.lost(this.client);
    }
  }

  /** A pooler in transaction mode accepts LISTEN and delivers nothing. */
  private proof(): void {
    this.again = setTimeout(() => {
      if (this.heard || this.closed) return;
      this.deaf('the connection accepts LISTEN and hears nothing, as behind a pooler in transaction mode');
      this.drop();
    }, PROOF_MS);
  }

  private lost(client: SqlListener | undefined): void {
    if (this.closed || client !== this.client) return;
    this.drop();
    clearTimeout(this.again);
    this.again = setTimeout(() => void this.listen(), AGAIN_MS);
    this.ring();
  }

  private drop(): void {
    const { client } = this;
    this.client = undefined;
    if (client) letGo(client);
  }

  private deaf(why: string): void {
    if (this.told || this.closed) return;
    this.told = true;
    this.deps.logger.warn(
      `The outbox hears no notifications (${why}): its relay looks for rows at each sweep only`,
      { event: 'outbox-not-notified', error: why },
    );
  }
}

function payloadOf(about: unknown): unknown {
  return (about as { readonly payload?: unknown } | undefined)?.payload;
}

/** A connection that listened must not go back to others. */
function letGo(client: SqlListener): void {
  try {
    if (typeof client.release === 'function') client.release(true);
    else void Promise.resolve(client.end?.()).catch(() => {});
  } catch {
    // It is gone already.
  }
}
