import type { Codec, EncodedBody } from '../../codec/codec.js';
import type { DeadLetter } from '../../driver/dead-letters.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { MessageTooLargeError } from '../../errors/message.errors.js';
import { bodyBytes, type DecodedFrame, decodeFrame, encodeFrame } from '../../message/frame.js';
import { toHeaders } from '../../message/headers.js';

/** What is to be different about a dead letter. */
export interface LetterChanges {
  /** In place of its payload. @default as it is, to the byte */
  payload?: unknown;
  /** Over its own headers. @default none */
  headers?: Readonly<Record<string, string>>;
}

/** Who edits, and when. */
export interface Editor {
  readonly by: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** Writes dead letters anew. */
export class LetterEditor {
  constructor(
    private readonly codec: Codec,
    private readonly maxMessageBytes: number,
  ) {}

  /**
   * The bytes of the letter's message with these changes: of the same id and time, and with the headers `x-edited-at` (ISO
   * 8601) and `x-edited-by`. Rejects with ConfigurationError for several messages in one letter and for one whose envelope
   * cannot be read, CodecError and MessageTooLargeError for a payload that cannot be written.
   */
  async edited(letter: DeadLetter, changes: LetterChanges, { by, at }: Editor): Promise<Uint8Array> {
    const frame = opened(letter);
    const marks = { 'x-edited-at': new Date(at).toISOString(), 'x-edited-by': by };
    const headers = toHeaders({ ...frame.headers, ...changes.headers, ...marks });
    const { payload } = changes;
    if (payload === undefined) return encodeFrame({ ...frame, headers });
    const { data: body, codec, compression } = this.checked(await this.codec.encode(payload));
    return encodeFrame({ ...frame, headers, body, codec, compression });
  }

  private checked(body: EncodedBody): EncodedBody {
    const bytes = body.plainBytes ?? bodyBytes(body.data);
    if (bytes > this.maxMessageBytes) throw new MessageTooLargeError(bytes, this.maxMessageBytes);
    return body;
  }
}

function opened({ position, frame, messages = 1 }: DeadLetter): DecodedFrame {
  if (messages > 1) {
    throw new ConfigurationError(
      `The dead letter ${position} holds ${messages} messages, as the process that had them died: it can be replayed, not edited`,
    );
  }
  try {
    return decodeFrame(frame);
  } catch (cause) {
    throw new ConfigurationError(
      `The dead letter ${position} is no message that can be read, and cannot be edited`,
      {
        cause,
      },
    );
  }
}
