import { bundlingKinds } from '../../bundling/bundling-driver.js';
import { compressionKinds } from '../../codec/gzip.codec.js';
import { aSchema, validationKinds } from '../../contract/definition-options.js';
import { aGuarantee, topicKinds } from '../../contract/topic-options.js';
import { messageKinds, type Replacements } from '../../errors/assert-options.js';
import {
  aBoolean,
  aClock,
  aCodec,
  aDuration,
  aFunction,
  aList,
  aMoment,
  aNumber,
  anObject,
  aSignal,
  aString,
  checkedElsewhere,
  having,
  type OptionKind,
  type OptionKinds,
  options,
  optionsByName,
  orFalse,
} from '../../errors/option-kinds.js';
import type {
  BatchOptions,
  ConnectionOptions,
  DiscoBusOptions,
  HandlerSubscribeOptions,
  PublishLimitOptions,
  PublishOptions,
  RequestOptions,
} from './bus-options.js';

const batchKinds: OptionKinds<BatchOptions> = { size: aNumber, linger: aDuration };

const middlewares: OptionKind = {
  told: 'an array of functions',
  fits: (value: unknown) => aList.fits(value) && (value as unknown[]).every(aFunction.fits),
};

/** What each of {@link HandlerSubscribeOptions} may be. */
export const subscribeKinds: OptionKinds<HandlerSubscribeOptions> = {
  ...topicKinds,
  middleware: middlewares,
  batch: options(batchKinds),
  shared: aBoolean,
  name: aString,
  label: aString,
  schema: aSchema,
};

/** What each of {@link PublishOptions} may be. */
export const publishKinds: OptionKinds<PublishOptions> = {
  headers: anObject,
  id: checkedElsewhere,
  delivery: aGuarantee,
  timeout: aDuration,
  signal: aSignal,
  delay: aDuration,
  at: aMoment,
  key: checkedElsewhere,
  ttl: aDuration,
};

/** The same, for every message. */
export const publishMessageKinds = messageKinds(publishKinds);

const requestKinds: OptionKinds<RequestOptions> = {
  timeout: aDuration,
  signal: aSignal,
  headers: anObject,
  delivery: aGuarantee,
  group: aString,
};

/** What each of {@link RequestOptions} may be, for every message. */
export const requestMessageKinds = messageKinds(requestKinds);

const publishLimitKinds: OptionKinds<PublishLimitOptions> = {
  messages: aNumber,
  bytes: aNumber,
};

const connectionKinds: OptionKinds<ConnectionOptions> = {
  wait: aBoolean,
  timeout: aDuration,
  critical: aBoolean,
};

/** Where options of topics belong that are given to a bus. */
export const placesOfTopicOptions: Replacements = Object.fromEntries(
  Object.keys(topicKinds).map((name) => [name, 'it belongs into "defaults" or "topics"']),
);

/** What each of {@link DiscoBusOptions} may be. */
export const busKinds: OptionKinds<DiscoBusOptions> = {
  driver: checkedElsewhere,
  service: aString,
  prefix: aString,
  defaults: options(topicKinds),
  topics: optionsByName(options(topicKinds)),
  codec: aCodec,
  contract: anObject,
  validation: options(validationKinds),
  compression: orFalse(options(compressionKinds)),
  maxMessageSize: aNumber,
  publishTimeout: aDuration,
  publishLimit: options(publishLimitKinds),
  requestTimeout: aDuration,
  maxPendingRequests: aNumber,
  shutdownTimeout: aDuration,
  connection: options(connectionKinds),
  middleware: middlewares,
  bundling: orFalse(options(bundlingKinds)),
  metrics: having('a sink of metrics', 'topic'),
  metricsInterval: orFalse(aDuration),
  tracing: having('what traces, as openTelemetry() makes it', 'begin'),
  logger: having('a logger with log, warn and error', 'log', 'warn', 'error'),
  clock: aClock,
};
