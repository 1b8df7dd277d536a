/** What a stream has ever been added, as Redis counts it. */
export interface StreamCount {
  /** Messages; -1 where that is not known. */
  readonly added: number;
  readonly lastId: string;
}

/** What is remembered of a stream, to notice that the server has lost it, and where its group begins when it is made again. */
export class StreamHistory {
  checkpoint = '';
  private added = -1;
  private lastId = '';

  /** Whether messages were ever added, as far as was counted. */
  get hasMessages(): boolean {
    return this.added > 0;
  }

  /** Whether the stream is younger than the one that was there before. */
  isAnother({ added, lastId }: StreamCount): boolean {
    if (added < 0) return false;
    return added < this.added || (added === this.added && lastId !== this.lastId);
  }

  note({ added, lastId }: StreamCount, checkpoint: string): void {
    this.added = added;
    this.lastId = lastId;
    this.checkpoint = checkpoint;
  }
}
