import { Injectable, Logger, Module } from '@nestjs/common';
import { DiscoBusModule, DiscoSubscribe } from 'nestjs-disco-bus';
import { FindPerson, PersonNamed2, people } from './contract/people.js';
import { url } from './url.js';

/** The newer service: it handles version 2, whichever version a person was published in. */
@Injectable()
export class DirectoryService {
  private readonly logger = new Logger('Directory');
  private readonly greetings = new Map<string, string>();
  private readonly waiting = new Map<number, () => void>();

  @DiscoSubscribe(PersonNamed2)
  named({ id, given, family }: { id: string; given: string; family: string }): void {
    this.logger.log(`${id} is given "${given}", family "${family}"`);
    this.greetings.set(id, `Dear ${given}`);
    this.waiting.get(this.greetings.size)?.();
  }

  @DiscoSubscribe(FindPerson)
  find({ id }: { id: string }): { greeting: string } {
    return { greeting: this.greetings.get(id) ?? 'Hello, stranger' };
  }

  /** Resolves once that many people are known. */
  knows(count: number): Promise<void> {
    if (this.greetings.size >= count) return Promise.resolve();
    return new Promise((resolve) => this.waiting.set(count, resolve));
  }
}

@Module({
  imports: [DiscoBusModule.forRoot({ url, service: 'directory', contract: people })],
  providers: [DirectoryService],
})
export class DirectoryModule {}
