import { MessageTooLargeError } from '../../../../errors/message.errors.js';
import { isBundle, splitBundle } from '../../../../message/bundle.js';
import type { Isolation, SuspectHolder } from './isolation.js';
import type { StreamDelivery } from './stream-delivery.js';

/** What an {@link EntryIntake} works with. */
export interface IntakeSetup {
  readonly isolation: Isolation;
  readonly maxFrameBytes: number;
  /** Holds what is run in isolation. */
  readonly holder: SuspectHolder;
  /** Now, on the server's clock. */
  serverNow(): number;
}

/** Sorts out of what was read whatever is not simply handed over. */
export class EntryIntake {
  constructor(private readonly setup: IntakeSetup) {}

  /** True if it is to wait for its turn; otherwise it is looked after: refused, out of date, or a suspect. */
  admit(delivery: StreamDelivery): boolean {
    const { frame, crashes } = delivery.entry;
    if (frame === undefined) refuse(delivery);
    else if (this.isOutOfDate(delivery)) delivery.discard();
    else if (this.isTooLarge(delivery, frame)) return true;
    else if (crashes > 0) this.suspect(delivery, frame);
    else return true;
    return false;
  }

  /** Whether its time to live is over. */
  isOutOfDate({ entry: { expiresMs } }: StreamDelivery): boolean {
    return expiresMs > 0 && expiresMs <= this.setup.serverNow();
  }

  /** It is handed over so that it is settled, and its sender told, by whoever knows the topic's policy. */
  private isTooLarge(delivery: StreamDelivery, { length }: Buffer): boolean {
    const { maxFrameBytes } = this.setup;
    if (length > maxFrameBytes) delivery.refusal = new MessageTooLargeError(length, maxFrameBytes);
    return delivery.refusal !== undefined;
  }

  /** The messages of a bundle that crashed its process are looked at one by one. */
  private suspect(delivery: StreamDelivery, frame: Buffer): void {
    const frames = isBundle(frame) ? partsOf(frame) : undefined;
    if (frames === undefined) this.setup.isolation.add(delivery, this.setup.holder);
    else delivery.split(frames).catch(() => undefined);
  }
}

function refuse(delivery: StreamDelivery): void {
  const error = { name: 'CodecError', message: 'The entry has no frame' };
  delivery.deadLetter({ reason: 'undecodable', error }).catch(() => undefined);
}

function partsOf(frame: Buffer): Uint8Array[] | undefined {
  try {
    return splitBundle(frame);
  } catch {
    return undefined;
  }
}
