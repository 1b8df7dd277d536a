import { decodeFrame } from '../../message/frame.js';

interface Chapter {
  head: string;
  readonly events: string[];
}

/** What has happened in a run, step by step, in words that are the same whenever it is repeated. */
export class Story {
  private readonly chapters: Chapter[] = [];
  private readonly numbers = new Map<string, number>();

  /** One step in a line; what came before the first step is not told. */
  get lines(): string[] {
    return this.chapters.map(({ head, events }) => [head, ...events].filter(Boolean).join('; '));
  }

  begin(head = ''): void {
    this.chapters.push({ head, events: [] });
  }

  /** What the present step is. */
  title(head: string): void {
    const chapter = this.chapters.at(-1);
    if (chapter) chapter.head = head;
  }

  /** Something that happens in the present step. */
  tell(event: string): void {
    this.chapters.at(-1)?.events.push(event);
  }

  /** `message 7`: ids are random, so messages are numbered in the order in which they are first met. */
  message(id: string): string {
    let number = this.numbers.get(id);
    if (number === undefined) {
      number = this.numbers.size + 1;
      this.numbers.set(id, number);
    }
    return `message ${number}`;
  }

  /** The same by a frame; `otherwise` stands for one whose id cannot be read. */
  messageIn(frame: Uint8Array, otherwise: string): string {
    return this.message(idIn(frame) ?? otherwise);
  }
}

function idIn(frame: Uint8Array): string | undefined {
  try {
    return decodeFrame(frame).id;
  } catch {
    return undefined;
  }
}
