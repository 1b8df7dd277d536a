import { compressionKinds } from '../codec/gzip.codec.js';
import { bundlingKinds } from '../driver/bundling-driver.js';
import { optionNames, type Replacements } from '../errors/assert-options.js';
import {
  aBoolean,
  aClock,
  aFunction,
  aList,
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
} from '../errors/option-kinds.js';
import { isSchema } from '../middleware/validate.js';
import { backoffKinds } from '../timing/backoff.js';
import type { BatchOptions } from './batch.js';
import type {
  BacklogOptions,
  ConnectionOptions,
  DiscoBusOptions,
  HandlerSubscribeOptions,
  PublishLimitOptions,
  PublishOptions,
  RequestOptions,
  RetryOptions,
  TopicOptions,
} from './bus-options.js';

const retryKinds: OptionKinds<RetryOptions> = {
  attempts: checkedElsewhere,
  backoff: options(backoffKinds),
};

const backlogKinds: OptionKinds<BacklogOptions> = {
  limit: checkedElsewhere,
  maxBytes: checkedElsewhere,
  overflow: checkedElsewhere,
};

/** What each of {@link TopicOptions} may be. */
export const topicKinds: OptionKinds<TopicOptions> = {
  wire: checkedElsewhere,
  delivery: checkedElsewhere,
  group: aString,
  concurrency: checkedElsewhere,
  prefetch: checkedElsewhere,
  retry: orFalse(options(retryKinds)),
  deadLetter: aBoolean,
  timeout: checkedElsewhere,
  startFrom: checkedElsewhere,
  orderBy: checkedElsewhere,
  backlog: options(backlogKinds),
};

const batchKinds: OptionKinds<BatchOptions> = { size: checkedElsewhere, linger: checkedElsewhere };

export const aSchema: OptionKind = {
  told: 'a Standard Schema',
  fits: isSchema,
};

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
  delivery: checkedElsewhere,
  timeout: checkedElsewhere,
  signal: aSignal,
  delay: checkedElsewhere,
  at: checkedElsewhere,
  key: checkedElsewhere,
  ttl: checkedElsewhere,
};

/** The names of {@link PublishOptions}. */
export const publishNames = optionNames(publishKinds);

const requestKinds: OptionKinds<RequestOptions> = {
  timeout: checkedElsewhere,
  signal: aSignal,
  headers: anObject,
  delivery: checkedElsewhere,
  group: aString,
};

/** The names of {@link RequestOptions}. */
export const requestNames = optionNames(requestKinds);

const publishLimitKinds: OptionKinds<PublishLimitOptions> = {
  messages: checkedElsewhere,
  bytes: checkedElsewhere,
};

const connectionKinds: OptionKinds<ConnectionOptions> = {
  wait: aBoolean,
  timeout: checkedElsewhere,
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
  codec: checkedElsewhere,
  compression: orFalse(options(compressionKinds)),
  maxMessageSize: checkedElsewhere,
  publishTimeout: checkedElsewhere,
  publishLimit: options(publishLimitKinds),
  requestTimeout: checkedElsewhere,
  maxPendingRequests: checkedElsewhere,
  shutdownTimeout: checkedElsewhere,
  connection: options(connectionKinds),
  middleware: middlewares,
  bundling: orFalse(options(bundlingKinds)),
  metrics: having('a sink of metrics', 'topic'),
  logger: having('a logger with log, warn and error', 'log', 'warn', 'error'),
  clock: aClock,
};
