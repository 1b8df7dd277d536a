/** Which topics somebody was told of, so that each is told once; beyond `limit` of them the memory begins again. */
export class ToldTopics {
  private readonly topics = new Set<string>();

  constructor(private readonly limit: number) {}

  /** Whether `topic` is told for the first time. */
  isNew(topic: string): boolean {
    if (this.topics.has(topic)) return false;
    if (this.topics.size >= this.limit) this.topics.clear();
    this.topics.add(topic);
    return true;
  }
}
