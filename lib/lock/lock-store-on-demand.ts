import { fromNobodysContext } from '../driver/async-context.js';
import {
  type ForcedReleaseProvider,
  forcedReleaseOf,
  type LockInspection,
  type LockInspectionProvider,
  type LockPage,
  type LockRange,
  lockInspectionOf,
  offersLockInspection,
} from '../driver/lock-inspection.js';
import {
  type LockAcquireOptions,
  type LockAnswer,
  type LockClaim,
  type LockHint,
  LockHintListeners,
  type LockState,
  type LockStore,
} from '../driver/lock-store.js';
import { ClosedError, NotConnectedError } from '../errors/bus.errors.js';
import { isDiscoBusError } from '../errors/disco-bus-error.js';
import { LockUnavailableError } from '../errors/lock.errors.js';

/** How long one question waits for the connection; connecting goes on in the background. */
const CONNECT_MS = 2_000;

/**
 * A lock store that connects when it is first asked, so that a bus whose locks nobody uses has no connection for them.
 * While it cannot connect it rejects with LockUnavailableError within 2 s, which is retried for as long as the caller
 * waits.
 */
export class LockStoreOnDemand implements LockStore, LockInspectionProvider, ForcedReleaseProvider {
  private readonly hints = new LockHintListeners();
  private readonly tags: string[] = [];
  private phase: 'new' | 'open' | 'closed' = 'new';
  private made: LockStore | undefined;
  private connected: LockStore | undefined;
  private connecting: Promise<LockStore> | undefined;

  /** `make` is called once, at the first use; what it throws, every call rejects with. */
  constructor(private readonly make: () => LockStore) {}

  get name(): string {
    return this.made?.name ?? 'on-demand';
  }

  /** From now on the store may be used; connects nothing yet. */
  async connect(): Promise<void> {
    if (this.phase === 'closed') throw closed();
    this.phase = 'open';
  }

  acquire(claim: LockClaim, options?: LockAcquireOptions): Promise<LockAnswer> {
    if (this.connected) return this.connected.acquire(claim, options);
    return this.opened().then((store) => store.acquire(claim, options));
  }

  /** Without a connection nothing was ever held. */
  async extend(claim: LockClaim): Promise<boolean> {
    if (this.connected) return this.connected.extend(claim);
    this.assertOpen();
    return false;
  }

  /** Behind a claim that waits for the connection, so that none is made after it was withdrawn. */
  async release(claim: LockClaim): Promise<boolean> {
    if (this.connected) return this.connected.release(claim);
    this.assertOpen();
    return this.connecting ? (await this.opened()).release(claim) : false;
  }

  async peek(key: string): Promise<LockState> {
    return (await this.opened()).peek(key);
  }

  introduce(tag: string): void {
    this.tags.push(tag);
    if (this.made && offersLockInspection(this.made)) this.made.introduce(tag);
  }

  async inspect(key: string): Promise<LockInspection> {
    return lockInspectionOf(await this.opened()).inspect(key);
  }

  async list(range: LockRange): Promise<LockPage> {
    return lockInspectionOf(await this.opened()).list(range);
  }

  async forceRelease(key: string): Promise<number> {
    return forcedReleaseOf(await this.opened()).forceRelease(key);
  }

  onReleased(listener: (hint: LockHint) => void): () => void {
    return this.hints.add(listener);
  }

  async close(): Promise<void> {
    this.phase = 'closed';
    this.connected = undefined;
    this.hints.clear();
    await this.made?.close();
  }

  private async opened(): Promise<LockStore> {
    this.assertOpen();
    this.connecting ??= fromNobodysContext(() => this.open()).catch((error: unknown) => {
      this.connecting = undefined;
      throw isDiscoBusError(error, 'DISCO_NOT_CONNECTED') ? unavailable(error) : error;
    });
    return inTime(this.connecting);
  }

  private async open(): Promise<LockStore> {
    if (this.made === undefined) {
      this.made = this.make();
      if (offersLockInspection(this.made)) for (const tag of this.tags) this.made.introduce(tag);
      this.made.onReleased((hint) => this.hints.emit(hint));
    }
    await this.made.connect();
    this.assertOpen();
    this.connected = this.made;
    return this.made;
  }

  private assertOpen(): void {
    if (this.phase === 'new') throw new NotConnectedError('The bus is not started');
    if (this.phase === 'closed') throw closed();
  }
}

function inTime(connecting: Promise<LockStore>): Promise<LockStore> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(unavailable()), CONNECT_MS);
    connecting.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function closed(): ClosedError {
  return new ClosedError('The bus is stopped');
}

function unavailable(cause?: unknown): LockUnavailableError {
  return new LockUnavailableError('There is no connection to the lock store', { cause });
}
