// One row per folder: what it may import from lib/, and which npm packages.
const layers = {
  errors: { lib: [], npm: ['fastest-levenshtein'] },
  timing: { lib: ['errors'], npm: [] },
  message: { lib: ['errors'], npm: [] },
  driver: { lib: ['errors', 'message', 'timing'], npm: [] },
  bundling: { lib: ['errors', 'message', 'timing', 'driver'], npm: [] },
  codec: { lib: ['errors', 'message'], npm: [] },
  middleware: { lib: ['errors', 'message', 'timing'], npm: ['@standard-schema/spec'] },
  contract: {
    lib: ['errors', 'message', 'timing', 'driver', 'middleware'],
    npm: ['@standard-schema/spec'],
  },
  metrics: { lib: ['errors', 'message', 'timing', 'driver', 'middleware'], npm: [] },
  prometheus: {
    lib: ['errors', 'metrics'],
    npm: ['prom-client', '@willsoto/nestjs-prometheus', '@nestjs/common'],
  },
  tracing: { lib: ['errors', 'message'], npm: [] },
  opentelemetry: {
    lib: ['errors', 'message', 'timing', 'driver', 'middleware', 'tracing'],
    npm: ['@opentelemetry/api'],
  },
  lock: { lib: ['errors', 'timing', 'driver', 'tracing'], npm: [] },
  bus: {
    lib: [
      'errors',
      'message',
      'timing',
      'driver',
      'bundling',
      'codec',
      'middleware',
      'contract',
      'metrics',
      'tracing',
    ],
    npm: ['@standard-schema/spec'],
  },
  asyncapi: {
    lib: ['errors', 'message', 'contract', 'bus'],
    npm: ['@standard-schema/spec', '@valibot/to-json-schema'],
  },
  drivers: { lib: ['errors', 'message', 'timing', 'driver'], npm: ['ioredis'] },
  transport: {
    lib: ['errors', 'message', 'timing', 'driver', 'drivers', 'middleware', 'contract', 'codec', 'bus'],
    npm: ['@nestjs/common', '@nestjs/core', '@nestjs/microservices', 'rxjs'],
  },
  nest: {
    lib: [
      'errors',
      'message',
      'timing',
      'driver',
      'codec',
      'middleware',
      'contract',
      'metrics',
      'tracing',
      'lock',
      'bus',
      'transport',
      'drivers',
      'prometheus',
    ],
    npm: ['@standard-schema/spec', '@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'],
  },
  outbox: {
    lib: ['errors', 'message', 'timing', 'driver', 'codec', 'middleware', 'contract', 'lock', 'bus', 'nest'],
    npm: ['@nestjs/common'],
  },
  terminus: { lib: ['errors', 'bus', 'nest'], npm: ['@nestjs/common', '@nestjs/terminus'] },
  dashboard: {
    lib: ['errors', 'message', 'driver', 'bus', 'nest'],
    npm: ['@nestjs/common', '@nestjs/core'],
  },
  cli: {
    lib: [
      'errors',
      'message',
      'timing',
      'driver',
      'bundling',
      'codec',
      'contract',
      'lock',
      'bus',
      'asyncapi',
      'drivers',
    ],
    npm: ['citty'],
  },
  testing: {
    lib: ['errors', 'message', 'timing', 'driver', 'codec', 'middleware', 'lock', 'bus', 'drivers', 'nest'],
    npm: ['@nestjs/common', '@nestjs/core'],
  },
};
// One row per folder of lib/bus: what else of lib/bus it may import. `resolved-options.ts` puts the lower three together.
const resolvedOptions = '^lib/bus/options/resolved-options\\.ts$';
const busFolders = {
  options: ['options/(?!resolved)'],
  wire: ['wire/', 'options/(?!resolved)'],
  connection: ['connection/', 'options/(?!resolved)'],
  operate: ['operate/', 'options/', 'connection/', 'wire/'],
  publish: ['publish/', 'contract/', 'options/', 'wire/'],
  requests: ['requests/', 'options/', 'wire/', 'delivery-context'],
  contract: ['contract/', 'options/(?!resolved)', 'requests/call\\.ts'],
  consume: ['consume/', 'contract/', 'options/', 'wire/', 'requests/', 'delivery-context', 'bus-status'],
};
const error = (name, from, to, comment) => ({ name, severity: 'error', from, to, comment });
const npmPath = (p) => `node_modules/(@types/)?${p}/`;
/** What authors of drivers import stands above the seam: it shows bundling as well. */
const authorsEntry = '^lib/driver/index\\.ts$';
const layerRules = Object.entries(layers).flatMap(([dir, { lib, npm }]) => [
  error(
    `${dir}-imports`,
    { path: `^lib/${dir}/`, pathNot: authorsEntry },
    { path: '^lib/', pathNot: [dir, ...lib].map((d) => `^lib/${d}/`) },
    'see CONTRIBUTING, dependency table',
  ),
  error(
    `${dir}-packages`,
    { path: `^lib/${dir}/`, pathNot: '\\.spec\\.ts$' },
    { path: 'node_modules/', pathNot: [...npm.map(npmPath), 'node_modules/@types/node/'] },
  ),
]);
module.exports = {
  forbidden: [
    error('no-circular', {}, { circular: true }),
    error('no-spec-imports', {}, { path: '\\.spec\\.ts$' }),
    error('lib-knows-no-test-or-sample', { path: '^lib/' }, { path: '^(test|sample|bench|tools)/' }),
    error('index-is-never-imported', { path: '^lib/' }, { path: '^lib/(driver/)?index\\.ts$' }),
    error(
      'sample-uses-the-package',
      { path: '^sample/' },
      { path: '^(lib|test)/', dependencyTypesNot: ['aliased-tsconfig-paths'] },
    ),
    error(
      'memory-driver-is-free',
      { path: '^lib/drivers/memory/', pathNot: '\\.spec\\.ts$' },
      { path: 'node_modules/', pathNot: 'node_modules/@types/node/' },
    ),
    error(
      'streams-group-and-patterns-are-below',
      { path: '^lib/drivers/redis/streams/(group|patterns|scripts)/' },
      { path: '^lib/drivers/redis/streams/(consume|publish)/' },
    ),
    error(
      'streams-consume-and-publish-are-strangers',
      { path: '^lib/drivers/redis/streams/(consume|publish)/' },
      { path: '^lib/drivers/redis/streams/(consume|publish)/', pathNot: '^lib/drivers/redis/streams/$1/' },
    ),
    ...Object.entries(busFolders).map(([folder, below]) =>
      error(
        `bus-${folder}-imports`,
        { path: `^lib/bus/${folder}/`, pathNot: resolvedOptions },
        { path: '^lib/bus/', pathNot: below.map((each) => `^lib/bus/${each}`) },
        'see lib/bus/README.md',
      ),
    ),
    error(
      'bus-resolved-options-imports',
      { path: resolvedOptions },
      { path: '^lib/bus/', pathNot: '^lib/bus/(options|connection|contract|wire)/' },
    ),
    error(
      'drivers-are-strangers',
      { path: '^lib/drivers/([^/]+)/' },
      { path: '^lib/drivers/', pathNot: '^lib/drivers/$1/' },
    ),
    error(
      'optional-parts-are-loaded-lazily',
      { path: '^lib/nest/', pathNot: '\\.spec\\.ts$' },
      { path: '^lib/(drivers/redis|prometheus)/', dynamic: false, dependencyTypesNot: ['type-only'] },
    ),
    error(
      'authors-of-drivers-see-the-seam',
      { path: authorsEntry },
      { path: '^lib/', pathNot: '^lib/(errors|message|timing|driver|bundling)/' },
    ),
    ...layerRules,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
