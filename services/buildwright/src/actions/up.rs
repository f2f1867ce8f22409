//! `up`.

use crate::{
    cli::{Global, SERVER_PORT, UpArgs},
    config::Config,
    embedded::{self, Options},
    entrance::{Demand, Entrance},
    hiring,
    interrupts::Interrupts,
    programs,
    render::print,
    sealing, session,
};
use std::process::ExitCode;

pub(crate) async fn up(global: &Global, args: UpArgs) -> anyhow::Result<ExitCode> {
    let listen = global.listen(SERVER_PORT);
    let entrance = Entrance::of(listen, Demand::of(args.require_keys, args.allow_unauthenticated));
    let mut config = Config::read(args.config.as_deref())?;
    config.api.allow_local_repositories |= args.allow_local_repositories;
    args.pages.apply(&mut config.api);
    let data_dir = global.data_dir();
    if let Some(server) = session::running(&data_dir).await {
        anyhow::bail!("a server runs on {} already: {}", data_dir.display(), server.base());
    }
    let mut interrupts = Interrupts::listen()?;
    let hired = hiring::hire(&args.executor, &data_dir).await?;
    let options = Options {
        data_dir,
        listen,
        entrance,
        secret_key: sealing::given(args.secret_key.secret_key_file.as_deref())?,
        slots: usize::from(args.executor.slots),
        executor: hired.choice,
        rebuild: args.rebuild,
        config,
    };
    let mut embedded = Box::pin(embedded::start(options)).await?;
    let git = programs::git_version().await.unwrap_or_else(|| "unknown".to_owned());
    let base = format!("http://{}", embedded.address());
    print(&format!(
        "buildwright {version}\n  \
         address   {base}\n  \
         docs      {base}/docs\n  \
         data      {data_dir}\n  \
         executor  {executor}\n  \
         git       {git}\n  \
         sandbox   {sandbox}\n\
         Ctrl-C stops it; what is going on then is taken up again at the next start.",
        version = env!("CARGO_PKG_VERSION"),
        data_dir = embedded.data_dir().root().display(),
        executor = hired.about,
        sandbox = programs::sandbox(),
    ))?;
    tokio::select! {
        () = interrupts.next() => {}
        error = embedded.failed() => {
            embedded.shutdown().await;
            return Err(error);
        }
    }
    tracing::info!("stopping; Ctrl-C again quits at once");
    tokio::select! {
        () = embedded.shutdown() => Ok(ExitCode::SUCCESS),
        () = interrupts.next() => Ok(ExitCode::from(130)),
    }
}
