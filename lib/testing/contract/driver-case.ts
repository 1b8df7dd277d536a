import { type DeliveryGuarantee, type GuaranteeCapabilities } from '../../driver/capabilities.js';
import { type DriverHarness } from './driver-harness.js';
import { type DriverStage } from './driver-stage.js';

/** A declared capability, something only one guarantee has, or something the harness may offer. */
export type DriverNeed =
  | keyof GuaranteeCapabilities
  /** Deliveries can be settled: at least once. */
  | 'settlement'
  /** Nothing is kept: at most once. */
  | 'fan-out'
  | 'shared broker'
  | keyof Pick<
      DriverHarness,
      | 'visibilityMs'
      | 'restartBroker'
      | 'stallBroker'
      | 'kill'
      | 'unreachable'
      | 'openHandles'
      | 'topicAgreements'
      | 'inspection'
      | 'watchTurns'
      | 'release'
      | 'steering'
      | 'maxDeadLetters'
      | 'maxCrashes'
    >;

/** One thing that every driver must do. */
export interface DriverCase {
  /** Stable: `W1`…`W16` are Watermill's universal tests, `A17` and `A18` the fault plan's, the others are words. */
  readonly id: string;
  readonly name: string;
  /** Without these it is skipped. @default none */
  readonly needs?: readonly DriverNeed[];
  run(stage: DriverStage): Promise<void>;
}

/** The first need that is not met, in words; undefined when the case can run. */
export function lacking(
  needs: readonly DriverNeed[],
  guarantee: DeliveryGuarantee,
  can: GuaranteeCapabilities,
  harness: DriverHarness,
): string | undefined {
  const lacks = needs.find((need) => !met(need, guarantee, can, harness));
  if (lacks === undefined) return undefined;
  return lacks in can ? `no capability ${lacks}` : `no ${lacks}`;
}

function met(
  need: DriverNeed,
  guarantee: DeliveryGuarantee,
  can: GuaranteeCapabilities,
  harness: DriverHarness,
): boolean {
  switch (need) {
    case 'settlement':
      return guarantee === 'at-least-once';
    case 'fan-out':
      return guarantee === 'at-most-once';
    case 'shared broker':
      return harness.brokerShared !== false;
    case 'visibilityMs':
    case 'restartBroker':
    case 'stallBroker':
    case 'kill':
    case 'unreachable':
    case 'openHandles':
    case 'topicAgreements':
    case 'inspection':
    case 'watchTurns':
    case 'release':
    case 'steering':
    case 'maxDeadLetters':
    case 'maxCrashes':
      return harness[need] !== undefined;
    default:
      return can[need] === true;
  }
}
