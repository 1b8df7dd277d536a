import { MessageTooLargeError } from '../../../../errors/message.errors.js';
import { isBundle, splitBundle } from '../../../../message/bundle.js';
import type { HandRole } from './hand.js';
import type { StreamDelivery } from './stream-delivery.js';

/** How the hand is to hold what was read. One that is too large gets its `refusal`. */
export function roleOf(delivery: StreamDelivery, serverNowMs: number, maxFrameBytes: number): HandRole {
  const { frame } = delivery.entry;
  if (frame === undefined || delivery.isExpired(serverNowMs)) return 'apart';
  if (frame.length > maxFrameBytes) {
    // It is handed over so that it is settled, and its sender told, by whoever knows the topic's policy.
    delivery.refusal = new MessageTooLargeError(frame.length, maxFrameBytes);
    return 'ordinary';
  }
  if (!delivery.isSuspect) return 'ordinary';
  return partsOf(frame) === undefined ? 'suspect' : 'apart';
}

/** Settles what nobody is to handle as it is: no frame, a time to live that is over, or a bundle that crashed its process. */
export function settleApart(delivery: StreamDelivery, serverNowMs: number): void {
  const { frame } = delivery.entry;
  if (frame === undefined) {
    const error = { name: 'CodecError', message: 'The entry has no frame' };
    delivery.deadLetter({ reason: 'undecodable', error }).catch(() => undefined);
  } else if (delivery.isExpired(serverNowMs)) delivery.discard();
  else delivery.split(partsOf(frame) ?? []).catch(() => undefined);
}

/** The messages of a bundle; undefined for what is none, or cannot be split. */
function partsOf(frame: Buffer): Uint8Array[] | undefined {
  try {
    return isBundle(frame) ? splitBundle(frame) : undefined;
  } catch {
    return undefined;
  }
}
