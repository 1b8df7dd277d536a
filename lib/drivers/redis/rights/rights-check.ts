import type { Cluster, Redis } from 'ioredis';
import { assertRights } from './missing-rights.js';

/** Makes sure, once, that the user has the rights for something: what is missing is told before it is needed halfway. */
export class RightsCheck {
  /** Whether nothing was missing. */
  passed = false;
  private asking: Promise<void> | undefined;

  constructor(
    private readonly purpose: string,
    private readonly commands: readonly string[],
  ) {}

  /** Asks the server until it was once answered that nothing is missing; rejects with DriverError that names what is. The commands are tried on the first key. */
  assert(client: Redis | Cluster, keys: readonly string[]): Promise<void> {
    if (this.passed) return Promise.resolve();
    this.asking ??= this.ask(client, keys).finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private async ask(client: Redis | Cluster, keys: readonly string[]): Promise<void> {
    await assertRights(client, this.purpose, { commands: this.commands, keys });
    this.passed = true;
  }
}
