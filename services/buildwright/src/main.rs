//! The binary.
mod adapters;
mod bench;
mod embedded;
mod settings;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|a| a == "supervise") {
        return supervisor::main(std::env::args_os().skip(2));
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        match args[1].as_str() {
            "bench" => println!("{}", bench::run(&bench::Plan::default()).await.unwrap()),
            "up" => {
                let model =
                    scripted_model::ScriptedModel::start(scripted_model::Script::default(), "127.0.0.1:0")
                        .await
                        .unwrap();
                let executor = if args.get(4).is_some() {
                    embedded::ExecutorChoice::Claude(embedded::ClaudeChoice {
                        binary: args[4].clone().into(),
                        credential: claude_cli::Credential::ApiKey {
                            key: "scripted".into(),
                            base_url: Some(model.base_url().to_string()),
                        },
                    })
                } else {
                    embedded::ExecutorChoice::Scripted(std::sync::Arc::new(scripted_model::Script::default()))
                };
                let e = embedded::start(embedded::Options {
                    data_dir: args[2].clone().into(),
                    listen: args[3].parse().unwrap(),
                    slots: 10,
                    executor,
                    api: api::ApiSettings::default(),
                })
                .await
                .unwrap();
                println!("{}", e.address());
                tokio::signal::ctrl_c().await.unwrap();
                e.shutdown().await;
            }
            _ => {}
        }
    });
    ExitCode::SUCCESS
}
