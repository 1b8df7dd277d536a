// Bundles out/app.js of the present folder with everything it needs into the folder bundled, and prints the bundler's
// warnings: node bundle.mjs <esbuild|webpack|rspack> <esm|cjs>.
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [bundler, format] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const entry = resolve('out/app.js');
const path = resolve('bundled');
const filename = `app.${format === 'esm' ? 'mjs' : 'cjs'}`;
rmSync(path, { recursive: true, force: true });

/** What Nest itself does without: an application that is bundled has to say so, with this package or not. */
const nestsOwn =
  /^(@nats-io\/|@nestjs\/(websockets|platform-)|@grpc\/|class-(validator|transformer)$|kafkajs$|mqtt$|nats$|amqp|@fastify\/)/;

const builds = {
  async esbuild() {
    const external = {
      name: 'nests-own',
      setup: (build) => build.onResolve({ filter: nestsOwn }, ({ path }) => ({ path, external: true })),
    };
    // What is CommonJS within an ES module asks for Node's own modules by a `require`.
    const banner =
      "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);";
    const { warnings } = await require('esbuild').build({
      entryPoints: [entry],
      bundle: true,
      platform: 'node',
      format,
      outfile: join(path, filename),
      keepNames: true,
      plugins: [external],
      logLevel: 'silent',
      ...(format === 'esm' && { banner: { js: banner } }),
    });
    return warnings.map(({ text }) => text);
  },
  webpack: () => packed(require('webpack')),
  rspack: () => packed(require('@rspack/core').rspack),
};

function packed(pack) {
  const esm = format === 'esm';
  const options = {
    mode: 'production',
    target: 'node20',
    entry,
    output: {
      path,
      filename,
      chunkFilename: `[id].${filename}`,
      ...(esm ? { module: true, chunkFormat: 'module', library: { type: 'module' } } : {}),
    },
    experiments: esm ? { outputModule: true } : {},
    optimization: { minimize: false },
    externals: ({ request }, done) =>
      nestsOwn.test(request) ? done(null, `${esm ? 'import' : 'commonjs'} ${request}`) : done(),
  };
  return new Promise((done, fail) => {
    pack(options, (error, stats) => {
      if (error) return fail(error);
      const { errors = [], warnings = [] } = stats.toJson({ all: false, errors: true, warnings: true });
      if (errors.length > 0) return fail(new Error(errors.map(({ message }) => message).join('\n')));
      return done(warnings.map(({ message, moduleName }) => `${moduleName}: ${message}`));
    });
  });
}

console.log((await builds[bundler]()).join('\n'));
