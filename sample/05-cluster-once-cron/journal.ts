/** What happened at each tick, over all instances. */
export class Journal {
  private readonly ticks = new Map<string, { called: number[]; ran: number[] }>();
  private onRun = () => {};

  called(instance: number): void {
    this.tick().called.push(instance);
  }

  ran(instance: number): void {
    this.tick().ran.push(instance);
    this.onRun();
  }

  /** Resolves when the digest has been sent at so many ticks that both instances saw; one line for each. */
  async until(count: number): Promise<string[]> {
    while (this.complete().length < count) await new Promise<void>((resolve) => (this.onRun = resolve));
    return this.complete().map(
      ([second, { called, ran }]) =>
        `${second}: called on ${called.sort().join(' and ')}, ran ${ran.length} time${ran.length === 1 ? '' : 's'}`,
    );
  }

  private complete() {
    return [...this.ticks].filter(([, { called, ran }]) => called.length === 2 && ran.length > 0);
  }

  private tick() {
    const second = new Date().toISOString().slice(11, 19);
    const known = this.ticks.get(second) ?? { called: [], ran: [] };
    this.ticks.set(second, known);
    return known;
  }
}
