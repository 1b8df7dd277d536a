/**
 * Names of OpenTelemetry's conventions for messaging (1.44, in development), and of our own. Copied, since the package of the
 * conventions may take those in development away in any of its releases.
 */
export const attribute = {
  system: 'messaging.system',
  operationName: 'messaging.operation.name',
  operationType: 'messaging.operation.type',
  destination: 'messaging.destination.name',
  template: 'messaging.destination.template',
  messageId: 'messaging.message.id',
  conversationId: 'messaging.message.conversation_id',
  batchSize: 'messaging.batch.message_count',
  group: 'messaging.consumer.group.name',
  errorType: 'error.type',
  attempt: 'messaging.disco_bus.attempt',
  replayed: 'messaging.disco_bus.replayed',
  calledOff: 'messaging.disco_bus.called_off',
  lockKeys: 'disco_bus.lock.keys',
  lockAcquired: 'disco_bus.lock.acquired',
} as const;

/** The value of `messaging.system`. */
export const SYSTEM = 'disco_bus';

/** `error.type` of what has no name. */
export const OTHER_ERROR = '_OTHER';

/** Seconds. */
export const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
