import type { Writable } from 'node:stream';
import { Command } from 'ioredis';

/** PUBLISH that hands its frame to the socket as it is: ioredis would copy it into the text of the command. */
export class PublishCommand extends Command {
  constructor(
    private readonly channel: string,
    private readonly frame: Uint8Array,
  ) {
    super('publish', []);
  }

  /** Writes all but the end, which ioredis then writes itself. */
  override toWritable(socket: object): string {
    const { channel, frame } = this;
    const channelBytes = Buffer.byteLength(channel);
    const out = socket as Writable;
    out.write(`*3\r\n$7\r\npublish\r\n$${channelBytes}\r\n${channel}\r\n$${frame.byteLength}\r\n`);
    out.write(frame);
    return '\r\n';
  }
}
