/** What somebody was told of, by name, so that each is told once; beyond `limit` names the memory begins again. */
export class ToldOnce {
  private readonly names = new Set<string>();

  constructor(private readonly limit: number) {}

  /** Whether `name` is told for the first time. */
  isNew(name: string): boolean {
    if (this.names.has(name)) return false;
    if (this.names.size >= this.limit) this.names.clear();
    this.names.add(name);
    return true;
  }
}
