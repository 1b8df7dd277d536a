import { isError } from '../errors/is-error.js';
import type { DeadLetterReason, Delivery } from './delivery.js';

/**
 * Hands `delivery` over. A subscriber that throws has not taken it: it is settled as undecodable, so that it neither stays
 * in flight nor comes back to throw again, and `onFault` is told.
 */
export function handOver(
  delivery: Delivery,
  onDelivery: (delivery: Delivery) => void,
  onFault: (thrown: unknown) => void,
): void {
  try {
    onDelivery(delivery);
  } catch (thrown) {
    onFault(thrown);
    settle(delivery, undecodable(thrown), onFault);
  }
}

function settle(delivery: Delivery, reason: DeadLetterReason, onFault: (thrown: unknown) => void): void {
  try {
    delivery.deadLetter(reason).catch(onFault);
  } catch (thrown) {
    onFault(thrown);
  }
}

function undecodable(thrown: unknown): DeadLetterReason {
  return { reason: 'undecodable', error: errorDetails(thrown) };
}

const LONGEST_MESSAGE = 1_000;

/** What a dead letter keeps of an error; undefined for what is none. Total, whatever an error of a caller's own holds. */
export function errorDetails(error: unknown): DeadLetterReason['error'] {
  if (!isError(error)) return undefined;
  try {
    return { name: String(error.name), message: String(error.message).slice(0, LONGEST_MESSAGE) };
  } catch {
    return { name: 'Error', message: 'an error that cannot be read' };
  }
}
