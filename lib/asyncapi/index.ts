export { type AsyncApiOptions, asyncApi, asyncApiOf } from './async-api.js';
export type {
  AsyncApiChannel,
  AsyncApiDocument,
  AsyncApiInfo,
  AsyncApiMessage,
  AsyncApiOperation,
  AsyncApiReference,
  AsyncApiResult,
  AsyncApiServer,
  AsyncApiWarning,
} from './document.js';
export type { JsonSchema, JsonSchemaConverter } from './json-form.js';
export type { AsyncApiServerOptions } from './servers.js';
