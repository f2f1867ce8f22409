use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

const PASS: u8 = 0;
const CUT: u8 = 1;
const SWALLOW: u8 = 2;

/// A wire to the server that can be cut at the worst moment.
pub(crate) struct Proxy {
    pub(crate) url: String,
    answers: Arc<AtomicU8>,
    task: AbortHandle,
}

impl Proxy {
    /// A wire to the server of a URL; its own URL leads there.
    pub(crate) async fn to(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let ours = listener.local_addr().expect("an address").to_string();
        let server = url.split(['@', '/']).nth(3).expect("an address").to_owned();
        let answers = Arc::new(AtomicU8::new(PASS));
        let task = tokio::spawn(serve(listener, server.clone(), Arc::clone(&answers))).abort_handle();
        Self { url: url.replace(&server, &ours), answers, task }
    }

    /// The next answer of the server is lost, and its connection with it.
    pub(crate) fn cut_at_the_next_answer(&self) {
        self.answers.store(CUT, Ordering::SeqCst);
    }

    /// From now on no answer arrives, and nobody is told.
    pub(crate) fn swallow_answers(&self) {
        self.answers.store(SWALLOW, Ordering::SeqCst);
    }

    pub(crate) fn pass_answers(&self) {
        self.answers.store(PASS, Ordering::SeqCst);
    }

    /// Nobody can connect any more.
    pub(crate) fn close(&self) {
        self.task.abort();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
    }
}

async fn serve(listener: TcpListener, server: String, answers: Arc<AtomicU8>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(&server).await else { continue };
        tokio::spawn(carry(client, server, Arc::clone(&answers)));
    }
}

async fn carry(client: TcpStream, server: TcpStream, answers: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
        let cut = answers.compare_exchange(CUT, PASS, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if cut {
            break;
        }
        if answers.load(Ordering::SeqCst) == PASS && to_client.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    asking.abort();
}
