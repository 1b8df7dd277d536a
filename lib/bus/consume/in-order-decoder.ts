import { types } from 'node:util';
import type { DecodedFrame } from '../../message/frame.js';
import type { Message } from '../../message/message.js';
import type { MessageReader } from '../wire/message-decoder.js';

/** Reads messages in the order they came, also where reading one takes longer than the next. */
export class InOrderDecoder implements MessageReader {
  private last: Promise<unknown> | undefined;

  constructor(private readonly inner: MessageReader) {}

  read(topic: string, frame: DecodedFrame): Message | Promise<Message> {
    const { last } = this;
    const reading = last ? this.eventually(topic, frame) : this.inner.read(topic, frame);
    if (!types.isPromise(reading)) return reading;
    const mine = (last ?? Promise.resolve()).then(() => reading);
    const settled = mine.then(nothing, nothing);
    this.last = settled;
    void settled.then(() => {
      if (this.last === settled) this.last = undefined;
    });
    return mine;
  }

  /** Begins to read at once; a refusal waits for its turn like everything else. */
  private async eventually(topic: string, frame: DecodedFrame): Promise<Message> {
    return this.inner.read(topic, frame);
  }
}

const nothing = () => {};
