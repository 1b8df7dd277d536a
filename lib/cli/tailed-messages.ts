import { MessageDecoder } from '../bus/wire/message-decoder.js';
import { GzipCodec } from '../codec/gzip.codec.js';
import { JsonCodec } from '../codec/json.codec.js';
import { PayloadCodec } from '../codec/payload.codec.js';
import { framesIn } from '../message/bundle.js';
import type { Message } from '../message/message.js';
import { messageRow, payloadText } from './payloads.js';
import type { Run } from './run.js';
import { printable } from './terminal.js';
import { iso, json } from './text.js';

/** A frame that came along. */
export interface TailedFrame {
  readonly topic: string;
  readonly delivery: 'at-least-once' | 'at-most-once';
  readonly position?: string;
  /** Undefined for what is no frame. */
  readonly frame: Uint8Array | undefined;
}

/** The most that a body may have once it is inflated. */
const MOST_BYTES = 512 * 1024 * 1024;

/** Prints messages in the order that they came in, each on a line. */
export class TailedMessages {
  private readonly decoder = new MessageDecoder(
    new GzipCodec(new PayloadCodec(new JsonCodec()), { maxBytes: MOST_BYTES }),
    MOST_BYTES,
  );
  private last: Promise<void> = Promise.resolve();
  private printed = 0;

  /** `onEnd` is called once `most` have been printed. */
  constructor(
    private readonly run: Run,
    private readonly most: number,
    private readonly onEnd: () => void,
  ) {}

  add(frame: TailedFrame): void {
    this.last = this.last.then(() => this.print(frame));
  }

  private async print({ topic, delivery, position, frame }: TailedFrame): Promise<void> {
    for (const [index, bytes] of framesIn(frame).entries()) {
      if (this.printed >= this.most) return;
      const message = bytes && (await this.decoded(topic, bytes));
      const where = index === 0 ? position : `${position}#${index}`;
      const row = { topic, delivery, position: position && where, ...messageRow(message) };
      const { terminal, isJson } = this.run;
      const time = message === undefined ? '-' : iso(message.timestamp);
      const text = payloadText(message, Number.POSITIVE_INFINITY);
      terminal.out(
        isJson
          ? json(row)
          : `${terminal.paint('dim', time)} ${terminal.paint('cyan', topic)} ${printable(text)}`,
      );
      this.printed++;
      if (this.printed >= this.most) this.onEnd();
    }
  }

  private async decoded(topic: string, bytes: Uint8Array): Promise<Message | undefined> {
    try {
      return await this.decoder.decode(topic, bytes);
    } catch {
      return undefined;
    }
  }
}
