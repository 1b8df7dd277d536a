import type { ProducerDeserializer, WritePacket } from '@nestjs/microservices';
import { after } from '../message/now-or-later.js';

/** Turns replies into the packets that a ClientProxy expects, in order also where the deserializer takes its time. */
export class ReplyReader {
  private reading: Promise<void> | undefined;
  private ended = false;

  constructor(
    private readonly deserializer: ProducerDeserializer,
    private readonly callback: (packet: WritePacket) => void,
  ) {}

  /** `serialized`: the other side's serializer made the reply. `callOff` ends a request whose packet says that it is over. */
  next(reply: unknown, serialized: boolean, last: boolean, callOff: () => void): void {
    const raw = serialized ? reply : { response: reply, ...(last && { isDisposed: true }) };
    this.inOrder(() => {
      const packet = this.deserializer.deserialize(raw) as WritePacket | Promise<WritePacket>;
      return after(packet, (read) => this.take(read, last, callOff));
    });
  }

  complete(): void {
    this.inOrder(() => this.end({ isDisposed: true }));
  }

  error(err: unknown): void {
    this.inOrder(() => this.end({ err, isDisposed: true }));
  }

  private take({ err, response, isDisposed }: WritePacket, last: boolean, callOff: () => void): void {
    if (this.ended) return;
    if (!err && !isDisposed) {
      this.callback({ response });
      return;
    }
    this.end({ err, response, isDisposed: true });
    if (!last) callOff();
  }

  private end(packet: WritePacket): void {
    if (this.ended) return;
    this.ended = true;
    this.callback(packet);
  }

  private inOrder(step: () => void | Promise<void>): void {
    if (this.reading) {
      this.wait(this.reading.then(step));
      return;
    }
    try {
      const reading = step();
      if (reading) this.wait(reading);
    } catch (err) {
      this.end({ err, isDisposed: true });
    }
  }

  private wait(step: Promise<void>): void {
    const reading = step
      .catch((err: unknown) => this.end({ err, isDisposed: true }))
      .then(() => {
        if (this.reading === reading) this.reading = undefined;
      });
    this.reading = reading;
  }
}
