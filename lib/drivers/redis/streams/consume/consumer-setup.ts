import type { DriverStatus } from '../../../../driver/driver-status.js';
import type { TopicDirectory } from '../patterns/topic-directory.js';
import type { StreamConnection } from '../stream-connection.js';
import type { ResolvedStreamOptions } from '../stream-options.js';
import type { TrialTurns } from './suspects.js';

/** What all consumers of a driver share. */
export interface ConsumerSetup {
  readonly connection: StreamConnection;
  readonly options: ResolvedStreamOptions;
  readonly turns: TrialTurns;
  /** Names this process in every group. */
  readonly name: string;
  /** Where a topic is listed whose stream a consumer has made. */
  readonly directory: TopicDirectory;
  readonly maxFrameBytes: number;
  readonly status: (status: DriverStatus) => void;
}
