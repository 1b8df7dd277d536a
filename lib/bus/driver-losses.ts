import type { DriverStatus } from '../driver/driver-status.js';
import type { Metrics } from '../metrics/metrics.js';
import type { ExpectedSubscriptions } from './options/expected-subscriptions.js';

/**
 * Counts what a driver made a dead letter, or dropped, itself: of a group where a subscription of this bus reads in it, so that each
 * bus counts its own; of no group under the topic.
 */
export function countLoss(
  status: DriverStatus,
  metrics: Metrics,
  expected: Pick<ExpectedSubscriptions, 'labelOf'>,
): void {
  if (status.type !== 'dead-letter' && status.type !== 'dead-letters-full' && status.type !== 'expired')
    return;
  const { topic, group } = status;
  const label = group === undefined ? topic : expected.labelOf(topic, group);
  if (label === undefined) return;
  const measured = metrics.topic(label);
  const { type } = status;
  if (type === 'dead-letter') repeat(status.letters, () => measured.deadLettered(status.reason));
  else if (type === 'expired') repeat(status.messages, () => measured.dropped('expired'));
  else repeat(status.dropped, () => measured.dropped('dead-letters-full'));
}

function repeat(times: number, once: () => void): void {
  for (let count = 0; count < times; count++) once();
}
