import type { StreamDelivery } from './stream-delivery.js';

/** The consumer that holds a suspect. */
export interface SuspectHolder {
  /** A subscription has a place for it. */
  readonly canBegin: boolean;
  begin(suspect: StreamDelivery): void;
}

interface Suspect {
  readonly delivery: StreamDelivery;
  readonly holder: SuspectHolder;
}

/** What an {@link Isolation} works with. */
export interface IsolationSetup {
  /** The longest that others wait for a suspect to end, or it for them. */
  readonly patienceMs: number;
  /** Notes in Redis that this alone runs, or with nothing that all may run again. Never rejects. */
  note(delivery: StreamDelivery | undefined): Promise<void>;
  /** Others may be handed over again. */
  open(): void;
}

/**
 * Runs what has crashed a process before by itself: one at a time, with nothing else handed over in the whole driver, and
 * once what runs already has ended. So a crash tells on the entry that caused it, and on no neighbour. Neither side is
 * waited for longer than `patienceMs`.
 */
export class Isolation {
  private waiting: Suspect[] = [];
  private running: StreamDelivery | undefined;
  private noted = false;
  private inFlight = 0;
  private patience: NodeJS.Timeout | undefined;
  private impatient = false;
  private closed = false;

  constructor(private readonly setup: IsolationSetup) {}

  /** Nothing else is to be handed over. */
  get holds(): boolean {
    return this.running !== undefined || this.noted || this.next() !== undefined;
  }

  add(delivery: StreamDelivery, holder: SuspectHolder): void {
    this.waiting.push({ delivery, holder });
    this.proceed();
  }

  /** A delivery, suspect or not, was handed over. */
  begun(): void {
    this.inFlight++;
  }

  /** A delivery that was handed over is settled or given up. */
  ended(delivery: StreamDelivery): void {
    this.inFlight--;
    if (this.running === delivery) this.finish();
    this.proceed();
  }

  /** Something has changed: a subscription came, went on or closed. */
  proceed(): void {
    if (this.closed || this.running !== undefined) return;
    const suspect = this.next();
    if (suspect === undefined) {
      if (this.noted) void this.reopen();
      return;
    }
    if (this.inFlight > 0 && !this.impatient) {
      this.wait(() => {
        this.impatient = true;
        this.proceed();
      });
      return;
    }
    void this.start(suspect);
  }

  /** Forgets the suspects of a holder that closes. */
  forget(holder: SuspectHolder): void {
    this.waiting = this.waiting.filter((suspect) => suspect.holder !== holder);
    this.proceed();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.patience);
  }

  private next(): Suspect | undefined {
    return this.waiting.find(({ holder }) => holder.canBegin);
  }

  private async start(suspect: Suspect): Promise<void> {
    const { delivery, holder } = suspect;
    this.endPatience();
    this.waiting.splice(this.waiting.indexOf(suspect), 1);
    this.running = delivery;
    this.noted = true;
    await this.setup.note(delivery);
    if (this.closed) return;
    if (delivery.phase !== 'waiting' || !holder.canBegin) {
      if (delivery.phase === 'waiting') this.waiting.push(suspect);
      this.finish();
      this.proceed();
      return;
    }
    this.wait(() => {
      this.finish();
      this.proceed();
    });
    holder.begin(delivery);
  }

  private finish(): void {
    this.running = undefined;
    this.endPatience();
  }

  private async reopen(): Promise<void> {
    await this.setup.note(undefined);
    if (this.closed || this.running !== undefined) return;
    this.noted = false;
    this.setup.open();
  }

  private wait(then: () => void): void {
    if (this.patience !== undefined) return;
    this.patience = setTimeout(then, this.setup.patienceMs);
    this.patience.unref();
  }

  private endPatience(): void {
    clearTimeout(this.patience);
    this.patience = undefined;
    this.impatient = false;
  }
}
