/** Values that come one by one, and ways to wait for them. */
export class Collector<T> {
  readonly values: T[] = [];
  private readonly waiters = new Set<() => void>();

  readonly add = (value: T): void => {
    this.values.push(value);
    for (const waiter of this.waiters) waiter();
  };

  /** Resolves with all values when there are `count`; rejects after `timeoutMs`. */
  has(count: number, timeoutMs = 10_000): Promise<T[]> {
    return this.when(() => this.values.length >= count, `${count} values`, timeoutMs);
  }

  /** Resolves with all values when `holds` does; rejects after `timeoutMs`, naming `what` was waited for. */
  when(holds: () => boolean, what: string, timeoutMs = 10_000): Promise<T[]> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.waiters.delete(check);
        settle();
      };
      const check = () => {
        if (holds()) end(() => resolve(this.values));
      };
      const timer = setTimeout(
        () => end(() => reject(new Error(`waited for ${what}, got ${this.values.length}`))),
        timeoutMs,
      );
      this.waiters.add(check);
      check();
    });
  }
}
