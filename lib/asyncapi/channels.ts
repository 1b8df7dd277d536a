import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type Definition, isRequest, newerOf, type RequestDefinition } from '../contract/definition.js';
import { VERSION_HEADER } from '../contract/version-header.js';
import { KEY_HEADER } from '../message/headers.js';
import type {
  AsyncApiChannel,
  AsyncApiMessage,
  AsyncApiOperation,
  AsyncApiReference,
  AsyncApiWarning,
} from './document.js';
import { type JsonSchema, type JsonSchemaConverter, jsonFormOf, placedAt } from './json-form.js';

const CONTENT_TYPE = 'application/json';
const REPLY_LOCATION = '$message.header#/x-reply-to';

/** Ids that AsyncAPI takes, each given once. */
class Ids {
  private readonly given = new Set<string>();

  of(name: string): string {
    const plain = name.replace(/[^A-Za-z0-9._-]/g, '-');
    let id = plain;
    for (let count = 2; this.given.has(id); count++) id = `${plain}-${count}`;
    this.given.add(id);
    return id;
  }
}

/** What a document says of topics, gathered one topic after the other. */
export class Channels {
  readonly channels = new Map<string, AsyncApiChannel>();
  readonly operations = new Map<string, AsyncApiOperation>();
  readonly messages = new Map<string, AsyncApiMessage>();
  readonly schemas = new Map<string, JsonSchema>();
  readonly warnings: AsyncApiWarning[] = [];
  private readonly channelIds = new Ids();
  private readonly messageIds = new Ids();
  private readonly operationIds = new Ids();
  private readonly schemaIds = new Ids();

  constructor(private readonly convert: JsonSchemaConverter | undefined) {}

  /** The topic of a definition with a message of each version; resolves with the id of its channel. */
  async addTopic(definition: Definition): Promise<string> {
    const id = this.channelIds.of(definition.name);
    const messages: [string, AsyncApiReference][] = [];
    for (const version of definition.lineage)
      messages.push([`v${version.versionNumber}`, await this.payloadMessage(version)]);
    const { description } = definition.parts;
    this.channels.set(id, {
      address: definition.name,
      ...(description !== undefined && { description }),
      messages: Object.fromEntries(messages),
      'x-disco-bus': policyOf(definition),
    });
    return id;
  }

  /** A topic that is subscribed to without a definition. */
  addUndefined(topic: string): string {
    const id = this.channelIds.of(topic);
    const missing = 'definition';
    const reason = 'it is subscribed to by its name, so the type of its payloads is not known';
    this.warnings.push({ topic, missing, reason });
    const message = {
      name: topic,
      title: topic,
      contentType: CONTENT_TYPE,
      description: withoutForm(reason),
    };
    this.channels.set(id, { address: topic, messages: { v1: this.keep(topic, message) } });
    return id;
  }

  /** A pattern that no known topic fits stands for no channel. */
  warnOfPattern(topic: string): void {
    const reason = 'it is a pattern that no topic with a definition fits, so it has no channel';
    this.warnings.push({ topic, missing: 'definition', reason });
  }

  /** What the application does with the topic of the channel `id`; `request` tells what is replied. */
  async addOperation(
    action: AsyncApiOperation['action'],
    id: string,
    handlers: readonly object[],
    request?: Definition,
  ): Promise<void> {
    const name = this.operationIds.of(`${action}.${id}`);
    const replies = request !== undefined && isRequest(request);
    this.operations.set(name, {
      action,
      title: this.titleOf(id),
      summary: summaryOf(action, this.titleOf(id), replies),
      channel: { $ref: `#/channels/${id}` },
      messages: this.messagesOf(id),
      ...(replies && { reply: await this.replyOf(id, request) }),
      ...(handlers.length > 0 && { 'x-disco-bus': { handlers } }),
    });
  }

  private async replyOf(id: string, request: RequestDefinition) {
    const replyId = this.channelIds.of(`${id}.reply`);
    this.channels.set(replyId, {
      address: null,
      description: `Replies to "${request.name}", in the inbox that the request names`,
      messages: { reply: await this.replyMessage(request) },
    });
    return {
      address: { location: REPLY_LOCATION, description: 'The inbox of who asked' },
      channel: { $ref: `#/channels/${replyId}` },
      messages: this.messagesOf(replyId),
    };
  }

  /** The topic of the channel. */
  private titleOf(id: string): string {
    return this.channels.get(id)!.address ?? id;
  }

  private messagesOf(id: string): AsyncApiReference[] {
    return Object.keys(this.channels.get(id)!.messages).map((key) => ({
      $ref: `#/channels/${id}/messages/${key}`,
    }));
  }

  private async payloadMessage(definition: Definition): Promise<AsyncApiReference> {
    const { name, versionNumber, schema } = definition;
    const id = versionNumber === 1 ? name : `${name}.v${versionNumber}`;
    const several = definition.lineage.length > 1;
    const told = await this.payloadOf(id, schema, {
      topic: name,
      ...(several && { version: versionNumber }),
      missing: 'payload',
    });
    const headers = headersOf(definition);
    const { description: summary } = definition.parts;
    return this.keep(id, {
      name: id,
      title: several ? `${name}, version ${versionNumber}` : name,
      contentType: CONTENT_TYPE,
      ...(summary !== undefined && { summary }),
      ...(headers !== undefined && { headers }),
      ...told,
      'x-disco-bus': { version: versionNumber },
    });
  }

  private async replyMessage({ name, reply }: RequestDefinition): Promise<AsyncApiReference> {
    const id = `${name}.reply`;
    const told = await this.payloadOf(id, reply, { topic: name, missing: 'reply' });
    return this.keep(id, { name: id, title: `Reply to ${name}`, contentType: CONTENT_TYPE, ...told });
  }

  private async payloadOf(
    name: string,
    schema: StandardSchemaV1 | undefined,
    warning: Omit<AsyncApiWarning, 'reason'>,
  ): Promise<Pick<AsyncApiMessage, 'payload' | 'description'>> {
    const form = await jsonFormOf(schema, this.convert);
    if ('missing' in form) {
      this.warnings.push({ ...warning, reason: form.missing });
      return { description: withoutForm(form.missing) };
    }
    const id = this.schemaIds.of(name);
    const $ref = `#/components/schemas/${id}`;
    this.schemas.set(id, placedAt($ref, form.schema));
    return { payload: { $ref } };
  }

  private keep(name: string, message: AsyncApiMessage): AsyncApiReference {
    const id = this.messageIds.of(name);
    this.messages.set(id, message);
    return { $ref: `#/components/messages/${id}` };
  }
}

function summaryOf(action: AsyncApiOperation['action'], topic: string, replies: boolean): string {
  if (replies) return action === 'receive' ? `Answers the request "${topic}"` : `Asks "${topic}"`;
  return action === 'receive' ? `Handles messages of "${topic}"` : `Publishes to "${topic}"`;
}

function withoutForm(reason: string): string {
  return `The payload is not described: ${reason}.`;
}

function headersOf({ versionNumber, parts }: Definition): JsonSchema | undefined {
  if (parts.wire === 'go') return undefined;
  const properties = {
    ...(versionNumber > 1 && {
      [VERSION_HEADER]: {
        type: 'string',
        const: String(versionNumber),
        description: 'The version of the message',
      },
    }),
    ...(parts.key !== undefined && {
      [KEY_HEADER]: { type: 'string', description: 'The key of the message' },
    }),
  };
  const required = Object.keys(properties);
  return required.length === 0 ? undefined : { type: 'object', properties, required };
}

/** What is agreed, as plain data. */
function policyOf(definition: Definition): Readonly<Record<string, unknown>> {
  const { requestTimeout, key, validate } = definition.parts;
  const said = {
    kind: isRequest(definition) ? 'request' : 'topic',
    ...definition.policy,
    ...(!isRequest(definition) && { newer: newerOf(definition) }),
    key: key !== undefined,
    validate,
    requestTimeout,
  };
  return JSON.parse(JSON.stringify(said)) as Record<string, unknown>;
}
