import { type LockStoreNeed } from './lock-store-harness.js';
import { type LockStoreStage } from './lock-store-stage.js';

/** One thing that every lock store must do. */
export interface LockStoreCase {
  /** Stable. */
  readonly id: string;
  readonly name: string;
  /** What the harness must offer; without it the case is skipped. @default nothing */
  readonly needs?: readonly LockStoreNeed[];
  run(stage: LockStoreStage): Promise<void>;
}
