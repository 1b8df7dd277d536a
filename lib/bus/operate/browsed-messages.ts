import { offersBrowsing } from '../../driver/browsing.js';
import type { DiscoDriver } from '../../driver/driver.js';
import { assertOptions } from '../../errors/assert-options.js';
import { ConfigurationError } from '../../errors/bus.errors.js';
import { aNumber, aString, type OptionKinds } from '../../errors/option-kinds.js';
import { framesIn } from '../../message/bundle.js';
import type { Message } from '../../message/message.js';
import type { MessageDecoder } from '../wire/message-decoder.js';

/** Which stored messages to look at. */
export interface BrowseOptions {
  /** Only those behind this position: the `next` of the page before. @default from the oldest that is kept */
  after?: string;
  /** Entries, of which a bundle is one: 1 to 1000. @default 100 */
  limit?: number;
}

/** A message as it is kept in its topic. */
export interface StoredMessage {
  /** Of its entry; of a bundle's second message on with `#1` and so on behind it. */
  readonly position: string;
  /** Undefined when its bytes cannot be read. */
  readonly message?: Message;
}

/** A page of stored messages. */
export interface StoredMessages {
  readonly messages: readonly StoredMessage[];
  /** The `after` of the next page; undefined at the end. */
  readonly next?: string;
}

const browseKinds: OptionKinds<BrowseOptions> = { after: aString, limit: aNumber };

/** A page of what the driver keeps of a topic. Rejects with ConfigurationError. */
export async function browsedMessages(
  { engine, decoder }: { readonly engine: DiscoDriver; readonly decoder: MessageDecoder },
  topic: string,
  options: BrowseOptions,
): Promise<StoredMessages> {
  assertOptions('inspect.messages', options, browseKinds);
  const { after, limit = 100 } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000)
    throw new ConfigurationError('inspect.messages: limit must be a whole number from 1 to 1000');
  if (after !== undefined && !/^\d{1,20}-\d{1,20}$/.test(after))
    throw new ConfigurationError('inspect.messages: after must be a position, as 1700000000000-0');
  if (!offersBrowsing(engine))
    throw new ConfigurationError(`The driver "${engine.name}" shows no stored messages`);
  const entries = await engine.browse(topic, { after, limit });
  const messages = entries.flatMap(({ position, frame }) =>
    framesIn(frame).map((bytes, index) => ({
      position: index === 0 ? position : `${position}#${index}`,
      bytes,
    })),
  );
  const read = async ({ position, bytes }: (typeof messages)[number]): Promise<StoredMessage> => {
    try {
      return { position, message: bytes && (await decoder.decode(topic, bytes)) };
    } catch {
      return { position };
    }
  };
  const next = entries.length < limit ? undefined : entries.at(-1)?.position;
  return { messages: await Promise.all(messages.map(read)), next };
}
