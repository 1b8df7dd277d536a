import type { JsonSchema } from './json-form.js';

/** A pointer to another part of the document. */
export interface AsyncApiReference {
  readonly $ref: string;
}

/** What the document says of itself. */
export interface AsyncApiInfo {
  readonly title: string;
  readonly version: string;
  readonly description?: string;
}

/** Where the bus is, without its secrets. */
export interface AsyncApiServer {
  readonly host: string;
  readonly protocol: string;
  readonly pathname?: string;
  readonly description?: string;
  readonly security?: readonly { readonly type: 'userPassword' }[];
}

/** One version of a topic's messages, or a reply. */
export interface AsyncApiMessage {
  readonly name: string;
  /** Its topic and its version: what viewers show. */
  readonly title: string;
  /** The description of its definition. */
  readonly summary?: string;
  readonly contentType: string;
  readonly description?: string;
  readonly headers?: JsonSchema;
  /** Absent where the schema has no JSON form; the description then says so. */
  readonly payload?: AsyncApiReference;
  readonly 'x-disco-bus'?: Readonly<Record<string, unknown>>;
}

/** A topic, by its name; null is the address of replies, which each request tells. */
export interface AsyncApiChannel {
  readonly address: string | null;
  readonly description?: string;
  readonly messages: Readonly<Record<string, AsyncApiReference>>;
  /** What is agreed about the topic: delivery, wire, order, retries and so on. */
  readonly 'x-disco-bus'?: Readonly<Record<string, unknown>>;
}

/** What the application does with a topic. */
export interface AsyncApiOperation {
  readonly action: 'send' | 'receive';
  readonly title: string;
  /** What the application does, as a sentence. */
  readonly summary: string;
  readonly channel: AsyncApiReference;
  readonly messages: readonly AsyncApiReference[];
  readonly reply?: {
    readonly address: { readonly location: string; readonly description: string };
    readonly channel: AsyncApiReference;
    readonly messages: readonly AsyncApiReference[];
  };
  /** Who handles it. */
  readonly 'x-disco-bus'?: Readonly<Record<string, unknown>>;
}

/** An AsyncAPI 3.0 document: plain data, for `JSON.stringify`. */
export interface AsyncApiDocument {
  readonly asyncapi: '3.0.0';
  readonly info: AsyncApiInfo;
  readonly defaultContentType: string;
  readonly servers?: Readonly<Record<string, AsyncApiServer>>;
  readonly channels: Readonly<Record<string, AsyncApiChannel>>;
  readonly operations: Readonly<Record<string, AsyncApiOperation>>;
  readonly components: {
    readonly messages: Readonly<Record<string, AsyncApiMessage>>;
    readonly schemas: Readonly<Record<string, JsonSchema>>;
  };
}

/** Something that the document cannot tell. */
export interface AsyncApiWarning {
  readonly topic: string;
  /** Of the payload, where one version of several is meant. */
  readonly version?: number;
  /** What is missing: the schema of a payload or of a reply, or the definition of a topic that is subscribed to. */
  readonly missing: 'payload' | 'reply' | 'definition';
  readonly reason: string;
}

/** A document, and what it cannot tell. */
export interface AsyncApiResult {
  readonly document: AsyncApiDocument;
  readonly warnings: readonly AsyncApiWarning[];
}
