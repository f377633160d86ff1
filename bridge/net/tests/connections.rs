//! What becomes of connections and timers between requests, against servers on loopback.

use bytes::Bytes;
use cordon_net::{Admission, Ask, Client, Error, Limits, Options, Policy, Report, Request};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GUARD: Duration = Duration::from_secs(20);

struct Within(Limits);

impl Policy for Within {
    fn admit(&self, _: &Ask) -> Option<Admission> {
        Some(Admission { limits: self.0.clone(), headers: Vec::new(), has_rate: false })
    }
    fn addresses(&self, _: &Ask, found: &[IpAddr]) -> Vec<IpAddr> {
        found.to_vec()
    }
    fn refused(&self, _: Option<&Ask>, _: &str, _: &'static str) {}
    fn done(&self, _: &Ask, _: &Report) {}
}

fn within(first_byte: Duration) -> Arc<dyn Policy> {
    Arc::new(Within(Limits { first_byte, ..Limits::default() }))
}

/// Each connection is a task of `serve`. Gives the port and the count of connections.
async fn listen<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count: Arc<AtomicUsize> = Arc::default();
    let counted = count.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    (port, count)
}

/// The text of what came, empty at the end.
async fn heard(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 4096];
    let n = stream.read(&mut buffer).await.unwrap_or(0);
    String::from_utf8_lossy(&buffer[..n]).into_owned()
}

async fn get(client: &Client, policy: &Arc<dyn Policy>, url: &str) -> Result<usize, Error> {
    let response = client.send(policy, Request::new("GET", url)).await?;
    Ok(response.into_body().collect().await?.to_bytes().len())
}

#[tokio::test]
async fn each_request_has_its_own_time_to_wait() {
    let (port, _) = listen(|mut stream| async move {
        loop {
            let text = heard(&mut stream).await;
            match text.split(' ').nth(1) {
                Some("/never") => {}
                Some("/slow") => tokio::time::sleep(Duration::from_millis(400)).await,
                Some(_) => {}
                None => return,
            }
            if !text.starts_with("GET /never") {
                stream.write_all(OK).await.unwrap();
            }
        }
    })
    .await;
    let url = |path| format!("http://127.0.0.1:{port}{path}");
    let client = Client::new(Options::default());
    // The timer of the first request is set for later, that of the second for earlier than the next one needs.
    assert_eq!(get(&client, &within(GUARD), &url("/")).await, Ok(2));
    let began = Instant::now();
    assert_eq!(get(&client, &within(Duration::from_millis(100)), &url("/never")).await, Err(Error::ResponseTimeout));
    assert!(began.elapsed() >= Duration::from_millis(100) && began.elapsed() < GUARD / 2);
    assert_eq!(get(&client, &within(GUARD), &url("/slow")).await, Ok(2));
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used_again() {
    let (port, count) = listen(|mut stream| async move {
        heard(&mut stream).await;
        stream.write_all(OK).await.unwrap();
    })
    .await;
    let client = Client::new(Options::default());
    for _ in 0..2 {
        assert_eq!(get(&client, &within(GUARD), &format!("http://127.0.0.1:{port}/")).await, Ok(2));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_without_another_request() {
    let (closed, mut was_closed) = mpsc::channel(1);
    let (port, _) = listen(move |mut stream| {
        let closed = closed.clone();
        async move {
            while !heard(&mut stream).await.is_empty() {
                stream.write_all(OK).await.unwrap();
            }
            closed.send(()).await.unwrap();
        }
    })
    .await;
    let client = Client::new(Options { keep_alive: Duration::from_millis(50), ..Options::default() });
    assert_eq!(get(&client, &within(GUARD), &format!("http://127.0.0.1:{port}/")).await, Ok(2));
    assert_eq!(tokio::time::timeout(GUARD, was_closed.recv()).await, Ok(Some(())));
}

/// A body in pieces.
struct Pieces(mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Error;
    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[tokio::test]
async fn a_request_goes_on_while_nobody_reads_the_answer_that_began() {
    let (arrived, mut has_arrived) = mpsc::channel(1);
    let (port, _) = listen(move |mut stream| {
        let arrived = arrived.clone();
        async move {
            let mut text = heard(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n").await.unwrap();
            while !text.ends_with("0\r\n\r\n") {
                text += &heard(&mut stream).await;
            }
            stream.write_all(b"done").await.unwrap();
            arrived.send(text.contains("late")).await.unwrap();
        }
    })
    .await;
    let client = Client::new(Options::default());
    let (pieces, body) = mpsc::channel(1);
    let url = format!("http://127.0.0.1:{port}/");
    let request = Request { body: Pieces(body).boxed_unsync(), ..Request::new("POST", &url) };
    let response = client.send(&within(GUARD), request).await.unwrap();
    pieces.send(Bytes::from_static(b"late")).await.unwrap();
    drop(pieces);
    assert_eq!(tokio::time::timeout(GUARD, has_arrived.recv()).await, Ok(Some(true)));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "done");
}
