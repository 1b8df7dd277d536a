import { DiscoBusError } from './disco-bus-error.js';

/** A topic holds `maxLength` entries that not every group is done with. Nothing was stored; try again when they are handled. */
export class StreamFullError extends DiscoBusError {
  readonly code = 'DISCO_STREAM_FULL';
  override readonly retryable = true;

  constructor(
    readonly topic: string,
    readonly maxLength: number,
    /** Who has not handled them, if nobody reads there. */
    abandoned?: string,
  ) {
    const blame = abandoned ? `; ${abandoned}` : '';
    super(
      `The topic "${topic}" is full: ${maxLength} entries are kept that not every group has handled${blame}`,
    );
  }
}

/**
 * The message was stored, but fewer replicas than `durability.replicas` confirmed it in time: it is lost if the primary is
 * now lost. Publish it again with the same id to be sure.
 */
export class NotReplicatedError extends DiscoBusError {
  readonly code = 'DISCO_NOT_REPLICATED';
  override readonly retryable = true;

  constructor(
    readonly topic: string,
    readonly replicas: number,
    readonly minReplicas: number,
  ) {
    super(`A message for "${topic}" reached ${replicas} replicas; ${minReplicas} were asked for`);
  }
}
