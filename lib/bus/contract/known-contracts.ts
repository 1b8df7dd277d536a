import { entriesOf, newerVersion } from '../../contract/contracts.js';
import {
  type Contract,
  type Definition,
  isDefinition,
  isRequest,
  type RequestDefinition,
} from '../../contract/definition.js';
import type { TopicTable } from '../options/topic-table.js';

/**
 * The definitions that a bus knows: those of its contract, and any other from its first use on. From then on the topic follows
 * it, also where it is named by a string.
 */
export class KnownContracts {
  private readonly byName = new Map<string, Definition>();
  /** Called when one more is known: what was remembered of its topic may be wrong. */
  onAdopted: () => void = () => {};

  /** Throws ConfigurationError for what is no definition, and for two of one name that differ. */
  constructor(
    private readonly topics: TopicTable,
    contract: Contract = {},
  ) {
    for (const [, definition] of entriesOf(contract)) this.adopt(definition);
  }

  /** Nothing is known. */
  get isEmpty(): boolean {
    return this.byName.size === 0;
  }

  /** The newest version of each, in the order in which they became known. */
  get list(): readonly Definition[] {
    return [...this.byName.values()];
  }

  /** The newest version known of a topic. */
  get(topic: string): Definition | undefined {
    return this.byName.get(topic);
  }

  /** What is known of a request. */
  requestOf(topic: string): RequestDefinition | undefined {
    const known = this.byName.get(topic);
    return known !== undefined && isRequest(known) ? known : undefined;
  }

  /** The name of a topic; a definition is known from now on. Throws ConfigurationError where another one has its name. */
  nameOf(topic: string | Definition): string {
    if (typeof topic === 'string') return topic;
    if (!isDefinition(topic)) return topic;
    if (this.byName.get(topic.name) !== topic) this.adopt(topic);
    return topic.name;
  }

  private adopt(definition: Definition): void {
    const { name } = definition;
    const known = this.byName.get(name);
    if (newerVersion(known, definition) === known) return;
    this.topics.adopt(name, definition.policy);
    this.byName.set(name, definition);
    this.onAdopted();
  }
}
